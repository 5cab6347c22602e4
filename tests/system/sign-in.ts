// SPDX-License-Identifier: Apache-2.0
// A person signs in as a browser does it, one request at a time: what a browser keeps (cookies) is kept
// here by host, and each step can be changed on the way.
import { request } from 'node:http';
import type { ResidencyName } from './demo.ts';
import { type Answer, type Method, send } from './http.ts';
import type { SharedSystem } from './shared.ts';

/** Cookies of one host. */
export class CookieJar {
  readonly #values = new Map<string, string>();

  take({ headers }: Pick<Answer, 'headers'>): void {
    for (const line of [headers['set-cookie'] ?? []].flat()) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
      const [name = '', ...value] = pair.split('=');
      const isOver = attributes.some((one) => /^max-age=0$|^expires=thu, 01 jan 1970/i.test(one));
      if (isOver) this.#values.delete(name);
      else this.#values.set(name, value.join('='));
    }
  }

  get(name: string): string | undefined {
    return this.#values.get(name);
  }

  toHeader(): string {
    return [...this.#values].map(([name, value]) => `${name}=${value}`).join('; ');
  }
}

export const SESSION_COOKIE = '__Host-bailiwick-session';
const PAGE_HEADERS = { 'bailiwick-portal': '1', 'sec-fetch-site': 'same-origin' };

/** A browser at one cell. */
export interface PageCaller {
  readonly cookies: CookieJar;
  readonly origin: string;
  /** Sends as the portal's own page does. */
  call(
    method: Method,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>;
  /** Follows an address of this cell as a browser does; takes no redirect. */
  visit(path: string): Promise<Answer>;
}

export function openPage(system: SharedSystem, residency: ResidencyName): PageCaller {
  const { name, port } = system.cell(residency);
  const cookies = new CookieJar();
  const ask = async (
    method: Method,
    path: string,
    more: { readonly body?: unknown; readonly headers: Readonly<Record<string, string>> },
  ): Promise<Answer> => {
    const answer = await send({
      ...{ ca: system.ca, port, serverName: name, method, path },
      ...(more.body === undefined ? {} : { body: more.body }),
      headers: { cookie: cookies.toHeader(), ...more.headers },
    });
    cookies.take(answer);
    return answer;
  };
  return {
    cookies,
    origin: `https://${name}:${port}`,
    call: (method, path, body, headers = {}) =>
      ask(method, path, { body, headers: { ...PAGE_HEADERS, ...headers } }),
    visit: (path) => ask('GET', path, { headers: { 'sec-fetch-site': 'cross-site' } }),
  };
}

interface PlainAnswer {
  readonly status: number;
  readonly location: string;
  readonly text: string;
}

function askPlain(
  url: string,
  cookies: CookieJar,
  form?: Readonly<Record<string, string>>,
): Promise<PlainAnswer> {
  return new Promise((resolve, reject) => {
    const body = form === undefined ? undefined : new URLSearchParams(form).toString();
    const outgoing = request(
      url,
      {
        method: body === undefined ? 'GET' : 'POST',
        agent: false,
        headers: {
          cookie: cookies.toHeader(),
          ...(body === undefined
            ? {}
            : {
                'content-type': 'application/x-www-form-urlencoded',
                'content-length': String(Buffer.byteLength(body)),
              }),
        },
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          cookies.take({ headers: incoming.headers });
          const location = incoming.headers.location ?? '';
          const text = Buffer.concat(chunks).toString();
          resolve({ status: incoming.statusCode ?? 0, location: toUrl(location, url), text });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const toUrl = (location: string, base: string): string =>
  location === '' ? '' : new URL(location, base).href;

/** At the demonstration's provider: chooses a person, gives the address that the browser is sent back to. */
export async function choosePerson(start: string, person: string): Promise<string> {
  const cookies = new CookieJar();
  const own = new URL(start).origin;
  let answer = await askPlain(start, cookies);
  let at = answer.location;
  for (let step = 0; step < 6 && at.startsWith(own); step += 1) {
    const isChoice = at.includes('/interaction/');
    if (isChoice) await askPlain(at, cookies);
    answer = await askPlain(at, cookies, isChoice ? { person } : undefined);
    at = answer.location;
  }
  if (at === '') throw new Error(`the provider answered ${answer.status}: ${answer.text}`);
  return at;
}

/** The whole way. */
export async function signInPerson(
  system: SharedSystem,
  residency: ResidencyName,
  { tenant, person }: { readonly tenant: string; readonly person: string },
): Promise<PageCaller> {
  const page = openPage(system, residency);
  const begun = await page.call('POST', '/v1/sign-ins', { tenant });
  if (begun.status !== 200) throw new Error(`no sign-in: ${begun.text}`);
  const back = new URL(await choosePerson(begun.body.location, person));
  const answer = await page.visit(`${back.pathname}${back.search}`);
  if (answer.status !== 303) throw new Error(`not signed in: ${answer.status} ${answer.text}`);
  return page;
}
