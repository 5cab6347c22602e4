// SPDX-License-Identifier: Apache-2.0
// The worker thread that talks to OPA: the main thread waits for it, so it must not be the one that works.
import { parentPort, workerData } from 'node:worker_threads';
import { Pool } from 'undici';
import { ANSWER_SIZE_BYTES_MAX } from './limits.ts';
import type { Answer, WorkerQuestion, WorkerSetup } from './opa-counsel.ts';

/** The data is this program's own. */
const setup = workerData as WorkerSetup;
const { origin, path, token, ca, timeoutMs, bell } = setup;
const pool = new Pool(origin, {
  connections: 2,
  headersTimeout: timeoutMs,
  bodyTimeout: timeoutMs,
  ...(ca === undefined ? {} : { connect: { ca } }),
});

async function read(body: AsyncIterable<Buffer>): Promise<unknown> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of body) {
    sizeBytes += chunk.length;
    if (sizeBytes > ANSWER_SIZE_BYTES_MAX) throw new Error('the answer is too long');
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** OPA's answer is `{"result": …}`, without `result` where the document is undefined. */
function toAnswer(value: unknown): Answer {
  if (!isObject(value)) return 'failed';
  const { result } = value;
  if (result === true) return 'yes';
  return isObject(result) && result['allow'] === true ? 'yes' : 'no';
}

async function ask(text: string): Promise<Answer> {
  try {
    const response = await pool.request({
      method: 'POST',
      path,
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: text,
      signal: AbortSignal.timeout(timeoutMs),
    });
    const value = await read(response.body);
    // OPA says 200 to what it could evaluate; 400 and 500 are its errors.
    return response.statusCode === 200 ? toAnswer(value) : 'failed';
  } catch {
    return 'failed';
  }
}

parentPort?.on('message', (question: WorkerQuestion) => {
  void ask(question.text).then((answer) => {
    question.port.postMessage(answer);
    Atomics.store(bell, 0, question.id);
    Atomics.notify(bell, 0);
  });
});
parentPort?.postMessage('ready');
