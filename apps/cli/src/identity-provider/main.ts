// SPDX-License-Identifier: Apache-2.0
// The demonstration's OpenID provider as a process of its own: the npm `oidc-provider` with ready-made
// people. Everything it knows is in memory and in its configuration; it is for loopback and for nothing else.
import { createPrivateKey, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import process from 'node:process';
import { interactionPolicy, Provider } from 'oidc-provider';
import { parse } from 'yaml';
import { toChoicePage } from './page.ts';
import { DEMO_PEOPLE } from './people.ts';

interface ProviderConfig {
  readonly port: number;
  readonly keyFile: string;
  readonly clients: readonly { readonly id: string; readonly redirectUri: string }[];
}

const BODY_SIZE_BYTES_MAX = 4_096;
const PARENT_POLL_MS = 500;
const STOP_MS_MAX = 2_000;
const HOST = '127.0.0.1';
const ACR = 'substantial';

function readFlag(name: string): string | undefined {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
}

/** Written by the supervisor directly before. */
function readConfig(): ProviderConfig {
  return parse(readFileSync(readFlag('config') ?? '', 'utf8')) as ProviderConfig;
}

function createProvider(config: ProviderConfig): Provider {
  const key = createPrivateKey(readFileSync(config.keyFile, 'utf8')).export({ format: 'jwk' });
  const policy = interactionPolicy.base();
  const { Check } = interactionPolicy;
  // Whoever looks at a demonstration wants to be somebody else in a moment: always ask.
  policy
    .get('login')
    .checks.add(
      new Check('choose', 'a person is chosen each time', ({ oidc }) =>
        oidc.result?.login === undefined ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT,
      ),
    );
  policy.remove('consent');
  const provider: Provider = new Provider(`http://${HOST}:${config.port}`, {
    clients: config.clients.map(({ id, redirectUri }) => ({
      client_id: id,
      redirect_uris: [redirectUri],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      default_acr_values: [ACR],
    })),
    jwks: { keys: [{ ...key, kid: 'demo', alg: 'RS256', use: 'sig' }] },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    acrValues: [ACR],
    conformIdTokenClaims: false,
    claims: { openid: ['sub', 'groups'], acr: null },
    features: { devInteractions: { enabled: false } },
    ttl: {
      AccessToken: 300,
      AuthorizationCode: 60,
      IdToken: 300,
      Interaction: 600,
      Session: 600,
      Grant: 600,
    },
    interactions: {
      policy,
      url: (_context: unknown, { uid }: { readonly uid: string }) => `/interaction/${uid}`,
    },
    findAccount: (_context: unknown, id: string) => {
      const person = DEMO_PEOPLE.find((one) => one.id === id);
      if (person === undefined) return undefined;
      return { accountId: id, claims: () => ({ sub: id, groups: [person.group] }) };
    },
    loadExistingGrant: async (context: {
      readonly oidc: {
        readonly client: { readonly clientId: string };
        readonly session: { readonly accountId: string };
      };
    }) => {
      const { client, session } = context.oidc;
      const grant = new provider.Grant({ accountId: session.accountId, clientId: client.clientId });
      grant.addOIDCScope('openid');
      await grant.save();
      return grant;
    },
  });
  return provider;
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  let text = '';
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > BODY_SIZE_BYTES_MAX) break;
  }
  return new URLSearchParams(text);
}

async function interact(
  provider: Provider,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { uid } = await provider.interactionDetails(request, response);
  if (request.method === 'POST') {
    const accountId = (await readForm(request)).get('person') ?? '';
    const isKnown = DEMO_PEOPLE.some(({ id }) => id === accountId);
    const result = isKnown
      ? { login: { accountId, acr: ACR, remember: false } }
      : { error: 'access_denied' };
    const location = await provider.interactionResult(request, response, result);
    response.writeHead(303, { location }).end();
    return;
  }
  const nonce = randomBytes(16).toString('base64');
  response.writeHead(200, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': `default-src 'none'; style-src 'nonce-${nonce}'; frame-ancestors 'none'`,
  });
  response.end(toChoicePage(DEMO_PEOPLE, { uid, nonce }));
}

function run(): void {
  const config = readConfig();
  const provider = createProvider(config);
  const handle = provider.callback();
  const server = createServer((request, response) => {
    const isInteraction = request.url?.startsWith('/interaction/') === true;
    const done = isInteraction ? interact(provider, request, response) : handle(request, response);
    done.catch(() => {
      if (!response.headersSent) response.writeHead(400, { 'content-type': 'text/plain' });
      response.end('This sign-in has run out. Go back to the portal and begin again.\n');
    });
  });
  const stop = (): void => {
    server.close(() => process.exit(0));
    server.closeAllConnections();
    setTimeout(() => process.exit(0), STOP_MS_MAX).unref();
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  const parentPid = Number(readFlag('parent-pid'));
  if (parentPid > 1) {
    setInterval(() => {
      try {
        process.kill(parentPid, 0);
      } catch {
        stop();
      }
    }, PARENT_POLL_MS).unref();
  }
  server.listen(config.port, HOST, () => {
    process.stdout.write(`${JSON.stringify({ ready: true, port: config.port })}\n`);
  });
}

run();
