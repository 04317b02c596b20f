"""A todo backend on FastAPI, SQLModel, psycopg2, python-jose and passlib, on the tables of migrations."""

import enum
import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import Depends, FastAPI, HTTPException, status
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from jose import JWTError, jwt
from passlib.context import CryptContext
from pydantic import EmailStr, StringConstraints, field_validator
from sqlalchemy import DateTime, Enum, make_url
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, Session, SQLModel, col, create_engine, select

JWT_SECRET = os.environ["JWT_SECRET"]
JWT_ALGORITHM = "HS256"
ACCESS_TOKEN_TTL = timedelta(days=7)

pwd_context = CryptContext(
    schemes=["bcrypt"], deprecated="auto", bcrypt__rounds=int(os.environ.get("BCRYPT_COST", "12"))
)
# SQLAlchemy's URLs name the driver, libpq's do not.
engine = create_engine(make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+psycopg2"))


def now() -> datetime:
    return datetime.now(timezone.utc)


class UserBase(SQLModel):
    email: EmailStr
    username: str | None = None


class User(UserBase, table=True):
    __tablename__ = "users"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    hashed_password: str
    created_at: datetime = Field(default_factory=now)


class UserPublic(UserBase):
    id: UUID


class Credentials(SQLModel):
    email: EmailStr
    password: str = Field(min_length=8, max_length=72)

    @field_validator("email")
    @classmethod
    def lower_case(cls, email: str) -> str:
        return email.lower()


class UserCreate(Credentials):
    username: Annotated[str, StringConstraints(max_length=50, pattern="^[A-Za-z0-9_-]+$")] | None = None


class Token(SQLModel):
    access_token: str
    token_type: str = "bearer"
    expires_in: int
    user: UserPublic


class Priority(str, enum.Enum):
    low = "low"
    medium = "medium"
    high = "high"


Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]


class TaskBase(SQLModel):
    title: Title
    description: str | None = Field(default=None, max_length=1000)
    completed: bool = False
    priority: Priority = Field(default=Priority.medium, sa_type=Enum(Priority, name="task_priority"))
    tags: str | None = Field(default=None, max_length=500)
    due_date: datetime | None = Field(default=None, sa_type=DateTime)


class Task(TaskBase, table=True):
    __tablename__ = "tasks"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    user_id: UUID = Field(foreign_key="users.id")
    completed_at: datetime | None = None
    revision: int = 0
    created_at: datetime = Field(default_factory=now)
    updated_at: datetime = Field(default_factory=now, sa_column_kwargs={"onupdate": now})


class TaskCreate(TaskBase):
    # The front end sends its whole form, empty fields too, and the tables take no empty text.
    @field_validator("description", "tags", "due_date", mode="before")
    @classmethod
    def empty_is_null(cls, value: object) -> object:
        return None if value == "" else value


class TaskUpdate(TaskCreate):
    title: Title = Field(default=None)


class TaskComplete(SQLModel):
    completed: bool | None = None


class TaskPublic(TaskBase):
    id: UUID
    user_id: UUID
    completed_at: datetime | None
    revision: int
    created_at: datetime
    updated_at: datetime


class Message(SQLModel):
    message: str


def get_session() -> Iterator[Session]:
    with Session(engine) as session:
        yield session


SessionDep = Annotated[Session, Depends(get_session)]
bearer = HTTPBearer()


def create_token(user: User) -> Token:
    issued_at = now()
    claims = {"sub": str(user.id), "email": user.email, "iat": issued_at, "exp": issued_at + ACCESS_TOKEN_TTL}
    return Token(
        access_token=jwt.encode(claims, JWT_SECRET, algorithm=JWT_ALGORITHM),
        expires_in=int(ACCESS_TOKEN_TTL.total_seconds()),
        user=UserPublic.model_validate(user),
    )


def get_current_user(session: SessionDep, cred: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> User:
    exc = HTTPException(status.HTTP_401_UNAUTHORIZED, "Could not validate credentials", {"WWW-Authenticate": "Bearer"})
    try:
        user_id = UUID(jwt.decode(cred.credentials, JWT_SECRET, algorithms=[JWT_ALGORITHM])["sub"])
    except (JWTError, KeyError, ValueError):
        raise exc
    user = session.exec(select(User).where(User.id == user_id)).first()
    if user is None:
        raise exc
    return user


CurrentUser = Annotated[User, Depends(get_current_user)]
app = FastAPI(title="Todo API")


@app.post("/auth/signup", response_model=Token, status_code=status.HTTP_201_CREATED)
def signup(body: UserCreate, session: SessionDep) -> Token:
    if session.exec(select(User).where(User.email == body.email)).first():
        raise HTTPException(status.HTTP_409_CONFLICT, "Email already registered")
    user = User(email=body.email, username=body.username, hashed_password=pwd_context.hash(body.password))
    session.add(user)
    try:
        session.commit()
    except IntegrityError:
        raise HTTPException(status.HTTP_409_CONFLICT, "Email or username already taken")
    session.refresh(user)
    return create_token(user)


@app.post("/auth/login", response_model=Token)
def login(body: Credentials, session: SessionDep) -> Token:
    user = session.exec(select(User).where(User.email == body.email)).first()
    if not user or not pwd_context.verify(body.password, user.hashed_password):
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "Incorrect email or password", {"WWW-Authenticate": "Bearer"})
    return create_token(user)


@app.get("/tasks", response_model=list[TaskPublic])
def list_tasks(session: SessionDep, user: CurrentUser) -> Sequence[Task]:
    statement = select(Task).where(Task.user_id == user.id).order_by(col(Task.due_date).nulls_last(), col(Task.id))
    return session.exec(statement).all()


@app.post("/tasks", response_model=TaskPublic, status_code=status.HTTP_201_CREATED)
def create_task(body: TaskCreate, session: SessionDep, user: CurrentUser) -> Task:
    task = Task(**body.model_dump(), user_id=user.id)
    session.add(task)
    session.commit()
    session.refresh(task)
    return task


def owned_task(session: Session, user: User, task_id: UUID) -> Task:
    task = session.exec(select(Task).where(Task.id == task_id, Task.user_id == user.id)).first()
    if not task:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "Task not found")
    return task


@app.get("/tasks/{task_id}", response_model=TaskPublic)
def get_task(task_id: UUID, session: SessionDep, user: CurrentUser) -> Task:
    return owned_task(session, user, task_id)


@app.put("/tasks/{task_id}", response_model=TaskPublic)
def update_task(task_id: UUID, body: TaskUpdate, session: SessionDep, user: CurrentUser) -> Task:
    task = owned_task(session, user, task_id)
    task.sqlmodel_update(body.model_dump(exclude_unset=True))
    session.add(task)
    session.commit()
    session.refresh(task)
    return task


@app.patch("/tasks/{task_id}/complete", response_model=TaskPublic)
def complete_task(task_id: UUID, session: SessionDep, user: CurrentUser, body: TaskComplete | None = None) -> Task:
    task = owned_task(session, user, task_id)
    task.completed = not task.completed if body is None or body.completed is None else body.completed
    session.add(task)
    session.commit()
    session.refresh(task)
    return task


@app.delete("/tasks/{task_id}", response_model=Message)
def delete_task(task_id: UUID, session: SessionDep, user: CurrentUser) -> Message:
    session.delete(owned_task(session, user, task_id))
    session.commit()
    return Message(message="Task deleted successfully")
