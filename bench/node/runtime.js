// Asks Lambda's Runtime API for events, one after the other, and answers them with the handler:
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html

import { Agent, request } from 'node:http';

import { handler } from './index.js';

const BASE = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`;
const agent = new Agent({ keepAlive: true });

/** Sends a request and returns the headers and the text of its answer. */
function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const sent = request(BASE + path, { agent, method }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => resolve({ headers: response.headers, text }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

for (;;) {
  const { headers, text } = await call('GET', '/next');
  const id = headers['lambda-runtime-aws-request-id'];
  try {
    await call('POST', `/${id}/response`, JSON.stringify(await handler(JSON.parse(text))));
  } catch ({ name, message, stack }) {
    const error = { errorType: name, errorMessage: message, stackTrace: stack.split('\n').slice(1) };
    await call('POST', `/${id}/error`, JSON.stringify(error));
  }
}
