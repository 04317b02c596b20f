// Tasks of a user: lists and creates them, for API Gateway's HTTP API (payload format 2.0).

import { createSecretKey, randomUUID } from 'node:crypto';

import jwt from 'jsonwebtoken';
import pg from 'pg';

const COLUMNS = `id, user_id, title, description, completed, completed_at, priority, tags, due_date, revision,
  created_at, updated_at`;
// pg prepares a statement that has a name, once on each connection.
const LIST = {
  name: 'list',
  text: `SELECT ${COLUMNS} FROM tasks WHERE user_id = $1 ORDER BY due_date, id`,
};
const CREATE = {
  name: 'create',
  text: `INSERT INTO tasks (id, user_id, title, description, completed, priority, tags, due_date)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING ${COLUMNS}`,
};
/** Classes of SQLSTATE for values of a wrong form, and for values that a constraint refuses. */
const BAD_VALUE = /^2[23]/;

/** As a string, the secret would be tried as a public key for each token, which takes 0.3 ms. */
const secret = createSecretKey(process.env.JWT_SECRET, 'utf8');

// A due date has no time zone, so it is no Date.
pg.types.setTypeParser(pg.types.builtins.TIMESTAMP, (text) => text.replace(' ', 'T'));
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

const pool = new pg.Pool({
  connectionString: process.env.DATABASE_URL,
  enableChannelBinding: true,
  // A copy of a function answers one request at a time, and keeps its connection.
  max: 1,
  idleTimeoutMillis: 0,
});
// Without a listener, the loss of an idle connection would end the process.
pool.on('error', (error) => console.error(error));
// Lambda gives a whole core to the initialisation.
(await pool.connect()).release();

export async function handler(event) {
  const { method, path } = event.requestContext.http;
  if (path !== '/tasks') return answer(404, { detail: 'Not Found' });
  const user = userOf(event.headers.authorization);
  if (!user) return answer(401, { detail: 'Could not validate credentials' });
  switch (method) {
    case 'GET':
      return list(user);
    case 'POST':
      return create(user, event.body);
    default:
      return answer(405, { detail: 'Method Not Allowed' });
  }
}

async function list(user) {
  const { rows } = await pool.query({ ...LIST, values: [user] });
  return answer(200, rows);
}

async function create(user, body) {
  const task = parsed(body);
  if (typeof task?.title !== 'string') return answer(422, { detail: 'A task needs a title' });
  const { title, description, completed = false, priority = 'medium', tags, due_date } = task;
  // The front end sends its whole form, empty fields too, and the table takes no empty text.
  const fields = [title.trim(), description || null, completed, priority, tags || null, due_date || null];
  try {
    const { rows } = await pool.query({ ...CREATE, values: [randomUUID(), user, ...fields] });
    return answer(201, rows[0]);
  } catch (error) {
    if (BAD_VALUE.test(error.code)) return answer(422, { detail: error.message });
    throw error;
  }
}

/** Returns the id in a good token, or undefined. */
function userOf(authorization = '') {
  try {
    return jwt.verify(authorization.replace(/^bearer /i, ''), secret, { algorithms: ['HS256'] }).sub;
  } catch {
    return undefined;
  }
}

/** Returns the value of a JSON text, or undefined. */
function parsed(json) {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function answer(statusCode, body) {
  return { statusCode, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
