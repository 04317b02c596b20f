//! `POST /auth/password` and `POST /auth/me/delete`.

use serde_json::{Value, json};

use kit::{Answer, Api, PASSWORD, User};

const NEW: &str = "another good password";

async fn log_in(api: &Api, email: &str, password: &str) -> Answer {
    api.post("/auth/login").json(&json!({ "email": email, "password": password })).await
}

async fn change(api: &Api, user: &User, current: &str, new: &str) -> Answer {
    let body = json!({ "current_password": current, "new_password": new });
    api.post("/auth/password").by(user).json(&body).await
}

async fn delete(api: &Api, user: &User, password: &str) -> Answer {
    api.post("/auth/me/delete").by(user).json(&json!({ "password": password })).await
}

/// Returns 200 or 401.
async fn status(api: &Api, user: &User) -> u16 {
    api.get("/tasks").by(user).send().await.status
}

#[tokio::test]
async fn a_changed_password_ends_every_session_and_starts_one() {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    let other = User::new(&log_in(&api, &ada.email, PASSWORD).await);
    let grace = api.user("grace").await;
    let answer = change(&api, &ada, PASSWORD, NEW).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let new = User::new(&answer);
    assert_ne!(new.session, ada.session);
    let statuses = [status(&api, &ada).await, status(&api, &other).await, status(&api, &new).await];
    assert_eq!(statuses, [401, 401, 200]);
    assert_eq!(status(&api, &grace).await, 200);
    for old in [&ada, &other] {
        let refresh = api.post("/auth/refresh").json(&json!({ "refresh_token": old.refresh_token })).await;
        assert_eq!(refresh.code(), "invalid_refresh_token");
    }
    assert_eq!(log_in(&api, &ada.email, PASSWORD).await.status, 401);
    assert_eq!(log_in(&api, &ada.email, NEW).await.status, 200);
}

#[tokio::test]
async fn a_wrong_current_password_is_422_at_its_field_and_changes_nothing() {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    for (answer, field) in [
        (change(&api, &ada, "wrong password", NEW).await, "current_password"),
        (change(&api, &ada, "", NEW).await, "current_password"),
        (delete(&api, &ada, "wrong password").await, "password"),
        (delete(&api, &ada, &PASSWORD.to_uppercase()).await, "password"),
    ] {
        assert_eq!(answer.bad_fields(), [format!("body.{field}")]);
        assert_eq!(answer.body["detail"][0]["type"], "wrong_password");
    }
    assert_eq!(status(&api, &ada).await, 200);
    assert_eq!(log_in(&api, &ada.email, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_new_password_has_the_rules_of_sign_up() {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    let renamed = api.patch("/auth/me").by(&ada).json(&json!({ "username": "Ada_Lovelace" })).await;
    assert_eq!(renamed.status, 200);
    for bad in ["short", "qwertyuiop", "x\0xxxxxxxx", &"x".repeat(73), "ADA@example.com", "ada_lovelace"] {
        let answer = change(&api, &ada, PASSWORD, bad).await;
        assert_eq!(answer.bad_fields(), ["body.new_password"], "{bad}");
    }
    assert_eq!(change(&api, &ada, PASSWORD, "Mu\u{308}ller trinkt").await.status, 200);
    assert_eq!(log_in(&api, &ada.email, "M\u{fc}ller trinkt").await.status, 200);
}

#[tokio::test]
async fn guesses_with_a_stolen_token_count_as_logins() {
    let limits = [("LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS", "5")];
    let api = Api::with(dev::api, &limits).await;
    let ada = api.user("ada").await;
    for _ in 0..2 {
        assert_eq!(change(&api, &ada, "wrong password", NEW).await.status, 422);
        assert_eq!(delete(&api, &ada, "wrong password").await.status, 422);
    }
    assert_eq!(log_in(&api, &ada.email, "wrong password").await.status, 401);
    for answer in [
        change(&api, &ada, PASSWORD, NEW).await,
        delete(&api, &ada, PASSWORD).await,
        log_in(&api, &ada.email, PASSWORD).await,
    ] {
        assert_eq!((answer.status, answer.code()), (429, "too_many_attempts"));
    }
    assert_eq!(status(&api, &ada).await, 200);
}

#[tokio::test]
async fn a_deleted_account_is_gone_with_all_that_was_the_users() {
    let api = Api::with(dev::api, &[("LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS", "30")]).await;
    let ada = api.user("ada").await;
    let other = User::new(&log_in(&api, &ada.email, PASSWORD).await);
    let grace = api.user("grace").await;
    for user in [&ada, &grace] {
        api.task(user, &json!({ "title": "T" })).await;
    }
    assert_eq!(delete(&api, &ada, PASSWORD).await.status, 204);
    for user in [&ada, &other] {
        assert_eq!(status(&api, user).await, 401);
    }
    for (table, count) in [("users", 1), ("tasks", 1), ("sessions", 1)] {
        assert_eq!(api.count(table).await, count, "{table}");
    }
    assert_eq!(api.count("attempts WHERE email = 'ada@example.com'").await, 0);
    assert_eq!(log_in(&api, &ada.email, PASSWORD).await.status, 401);
    assert_eq!(delete(&api, &ada, PASSWORD).await.code(), "invalid_token");
    api.user("ada").await;
    assert_eq!(status(&api, &ada).await, 401, "a token of the user before");
}

/// Starts two requests at once, the second a little later in each round.
async fn at_once<A, B>(round: u64, one: impl Future<Output = A>, other: impl Future<Output = B>) -> (A, B) {
    let later = std::time::Duration::from_micros(round % 20 * 400);
    tokio::join!(one, async {
        tokio::time::sleep(later).await;
        other.await
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn no_session_of_an_old_password_survives_a_login_that_races_its_change() {
    let api = Api::new(dev::api).await;
    let mut ada = api.user("ada").await;
    let passwords = [PASSWORD, NEW];
    for round in 0..200 {
        let (old, new) = (passwords[round % 2], passwords[(round + 1) % 2]);
        let (login, changed) = match round % 4 < 2 {
            true => at_once(round as u64, log_in(&api, &ada.email, old), change(&api, &ada, old, new)).await,
            false => {
                let (changed, login) =
                    at_once(round as u64, change(&api, &ada, old, new), log_in(&api, &ada.email, old)).await;
                (login, changed)
            }
        };
        assert_eq!(changed.status, 200, "{changed:?}");
        ada = User::new(&changed);
        assert_eq!(status(&api, &ada).await, 200);
        if login.status == 200 {
            assert_eq!(status(&api, &User::new(&login)).await, 401, "round {round}");
        }
        assert_eq!(api.count("sessions").await, 1, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_session_survives_a_login_that_races_the_deletion_of_its_user() {
    let api = Api::new(dev::api).await;
    for round in 0..200 {
        let ada = api.user(&format!("ada{round}")).await;
        let (login, deletion) = (log_in(&api, &ada.email, PASSWORD), delete(&api, &ada, PASSWORD));
        let (login, deleted) = match round % 2 {
            0 => at_once(round, login, deletion).await,
            _ => {
                let (deleted, login) = at_once(round, deletion, login).await;
                (login, deleted)
            }
        };
        assert_eq!(deleted.status, 204, "{deleted:?}");
        match login.status {
            200 => assert_eq!(status(&api, &User::new(&login)).await, 401, "round {round}"),
            other => assert_eq!(other, 401, "{login:?}"),
        }
        assert_eq!((api.count("users").await, api.count("sessions").await), (0, 0), "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_changes_at_once_one_holds_and_the_other_is_401() {
    let api = Api::new(dev::api).await;
    let mut ada = api.user("ada").await;
    let mut password = PASSWORD.to_owned();
    for round in 0..60 {
        let (a, b) = (format!("the password a of {round}"), format!("the password b of {round}"));
        let (one, other) =
            at_once(round, change(&api, &ada, &password, &a), change(&api, &ada, &password, &b)).await;
        let mut statuses = [one.status, other.status];
        statuses.sort();
        assert_eq!(statuses, [200, 401], "{one:?} {other:?}");
        let (winner, new) = if one.status == 200 { (one, a) } else { (other, b) };
        (ada, password) = (User::new(&winner), new);
        assert_eq!(status(&api, &ada).await, 200);
        assert_eq!(log_in(&api, &ada.email, &password).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_change_and_a_deletion_at_once_one_holds() {
    let api = Api::new(dev::api).await;
    for round in 0..60 {
        let ada = api.user(&format!("ada{round}")).await;
        let (changed, deleted) =
            at_once(round, change(&api, &ada, PASSWORD, NEW), delete(&api, &ada, PASSWORD)).await;
        let exists = api.count(&format!("users WHERE email = '{}'", ada.email)).await;
        match (changed.status, deleted.status) {
            (200, 401) => assert_eq!((exists, log_in(&api, &ada.email, NEW).await.status), (1, 200)),
            (401, 204) => assert_eq!(exists, 0),
            statuses => panic!("{statuses:?}: {changed:?} {deleted:?}"),
        }
    }
}

#[tokio::test]
async fn the_answer_is_a_session_like_that_of_a_login() {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    let keys =
        |answer: &Answer| -> Vec<String> { answer.body.as_object().unwrap().keys().cloned().collect() };
    let login = log_in(&api, &ada.email, PASSWORD).await;
    let changed = change(&api, &ada, PASSWORD, NEW).await;
    assert_eq!(keys(&changed), keys(&login));
    assert_eq!(changed.body["user"], login.body["user"]);
    assert_ne!(changed.body["user"], Value::Null);
}
