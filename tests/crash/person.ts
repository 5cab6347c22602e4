// SPDX-License-Identifier: Apache-2.0
// Somebody who asks a cell and does not give up: asks again, with the same Idempotency-Key, until there is
// an answer that says what became of the request. What never comes is told as a failure.
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:https';
import { setTimeout as wait } from 'node:timers/promises';
import { type Answer, askClaim, type Method, signIn } from '../system/http.ts';
import type { SharedSystem } from '../system/shared.ts';
import type { OwnTenant } from '../system/tenant.ts';
import type { RigResidency } from './rig.ts';

/** Longest time in which a system that crashes must have answered. */
export const RECOVERY_MS_MAX = 90_000;
const PAUSE_MS = 100;
const CALL_MS_MAX = 20_000;

export interface Ask {
  readonly method: Method;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Statuses that say that it must be asked again; default 429, 409 in flight, 5xx. */
  readonly isTransient?: (answer: Answer) => boolean;
}

/** What came back, and whether an earlier try may have been done without our hearing of it. */
export interface Settled {
  readonly answer: Answer;
  readonly tries: number;
}

export interface Person {
  ask(ask: Ask): Promise<Settled>;
  close(): void;
}

const isTransientByDefault = ({ status, body }: Answer): boolean =>
  status >= 500 ||
  status === 429 ||
  (status === 409 && body.code === 'IDEMPOTENCY_KEY_IN_FLIGHT') ||
  // After a restart a cell may not have heard of a new tenant yet.
  (status === 403 && body.code === 'CELL_TENANT_UNKNOWN');

/** Opens an account at a cell. Every answer that is seen is told to `onAnswer`. */
export function openPerson(
  system: SharedSystem,
  of: { readonly tenant: OwnTenant; readonly account: string; readonly residency: RigResidency },
  onAnswer: (status: number | 'lost', code: string) => void = () => undefined,
): Person {
  const account = of.tenant.accounts[of.account];
  if (account === undefined) throw new Error(`no account \`${of.account}\``);
  const cell = system.cell(of.residency);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let headers: Readonly<Record<string, string>> | undefined;

  const open = async (): Promise<Readonly<Record<string, string>>> => {
    const token = await signIn(system, of.residency, account);
    const claimed = await askClaim(system, of.residency, { token, of: of.residency });
    if (claimed.status !== 200) throw new Error(`no claim: ${claimed.text}`);
    return {
      authorization: `Bearer ${token}`,
      'bailiwick-residency': claimed.body.access_token as string,
    };
  };

  const tell = (answer: Answer): Answer => {
    onAnswer(answer.status, typeof answer.body.code === 'string' ? answer.body.code : '');
    return answer;
  };

  return {
    async ask({ isTransient = isTransientByDefault, ...what }) {
      const key = randomUUID();
      const deadline = performance.now() + RECOVERY_MS_MAX;
      let last = 'nothing';
      for (let tries = 1; ; tries += 1) {
        try {
          headers ??= await open();
          const answer = tell(
            await call({ agent, ca: system.ca, port: cell.port, name: cell.name }, what, {
              ...headers,
              'idempotency-key': key,
            }),
          );
          if (answer.status === 401) headers = undefined;
          else if (!isTransient(answer)) return { answer, tries };
          last = `${answer.status} ${answer.text.slice(0, 300)}`;
        } catch (error) {
          onAnswer('lost', error instanceof Error && 'code' in error ? String(error.code) : '');
          last = error instanceof Error ? error.message : 'unknown';
        }
        if (performance.now() > deadline) {
          throw new Error(`${what.method} ${what.path}: no end in ${tries} tries; last: ${last}`);
        }
        await wait(PAUSE_MS);
      }
    },
    close: () => agent.destroy(),
  };
}

interface Place {
  readonly agent: Agent;
  readonly ca: string;
  readonly port: number;
  readonly name: string;
}

function call(
  { agent, ca, port, name }: Place,
  { method, path, body, headers }: Omit<Ask, 'isTransient'>,
  more: Readonly<Record<string, string>>,
): Promise<Answer> {
  const isText = typeof body === 'string';
  const payload = body === undefined ? undefined : isText ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        ...{ host: '127.0.0.1', port, method, path, ca, agent, servername: name },
        timeout: CALL_MS_MAX,
        headers: {
          host: `${name}:${port}`,
          ...(payload === undefined
            ? {}
            : {
                'content-type': 'application/json',
                'content-length': String(Buffer.byteLength(payload)),
              }),
          ...more,
          ...headers,
        },
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('aborted', () => reject(new Error('the answer was cut off')));
        incoming.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          let parsed: unknown = {};
          try {
            parsed = JSON.parse(text);
          } catch {
            // Not every answer is JSON.
          }
          const { statusCode: status = 0, headers: got } = incoming;
          resolve({ status, headers: got, text, body: parsed });
        });
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in time')));
    outgoing.on('error', reject);
    outgoing.end(payload);
  });
}
