// SPDX-License-Identifier: Apache-2.0
// Credentials of one account at one cell: access tokens by private_key_jwt (RFC 7523), the residency
// claim by token exchange (RFC 8693), both renewed before they end and fetched once however many wait.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  randomUUID,
  sign,
} from 'node:crypto';
import { unwrap } from './answer.ts';
import { SdkError } from './errors.ts';
import { ASSERTION_VALID_FOR_S, TOKEN_RENEWAL_SHARE } from './limits.ts';
import type { Transport } from './transport.ts';

/** An account and the private key that proves it. */
export interface AccountCredential {
  /** The account's id at the cell. */
  readonly account: string;
  /** Ed25519 private key: PEM or a KeyObject. */
  readonly key: KeyObject | string;
}

export interface TokenSourceOptions {
  readonly transport: Transport;
  readonly credential: AccountCredential;
  readonly tenant: string;
  readonly residency: string;
  /** The cell's name: audience of the assertion. */
  readonly audience: string;
}

export interface TokenSource {
  /** The two headers each tenant request needs. */
  headers(): Promise<Readonly<Record<string, string>>>;
  /** The residency claim alone: it names no account and may be shown to the router. */
  residencyClaim(): Promise<string>;
  /** Forgets what it holds, after a 401. */
  discard(): void;
}

interface TokenAnswer {
  readonly access_token: string;
  readonly expires_in: number;
}

interface Held {
  readonly token: string;
  readonly renewAtMs: number;
  readonly endsAtMs: number;
}

export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const key =
    typeof options.credential.key === 'string'
      ? parsePrivateKey(options.credential.key)
      : options.credential.key;
  const access = renewing(() => fetchAccessToken(options, key));
  const claim = renewing(async () => fetchResidencyClaim(options, await access.get()));
  return {
    async headers() {
      const [token, residency] = [await access.get(), await claim.get()];
      return { authorization: `Bearer ${token}`, 'bailiwick-residency': residency };
    },
    residencyClaim: () => claim.get(),
    discard() {
      access.discard();
      claim.discard();
    },
  };
}

/** Reads an Ed25519 private key. @throws {SdkError} `SDK_OPTIONS_INVALID` */
export function parsePrivateKey(pem: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // The reason may quote the key: it is left out on purpose.
  }
  throw new SdkError('SDK_OPTIONS_INVALID', 'expected an ed25519 private key in PEM');
}

/** Type of an assertion, so that no other token passes for one. */
const ASSERTION_TYPE = 'client-authentication+jwt';

/** An Ed25519 key's id: hex of the first 16 bytes of SHA-256('bailiwick/key-id/v1\0' ‖ public key). */
export function toKeyId(key: KeyObject): string {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
  const hash = createHash('sha256').update('bailiwick/key-id/v1\0').update(raw);
  return hash.digest('hex').slice(0, 32);
}

/** Signs a client assertion (RFC 7523 §3) with EdDSA. */
export function createAssertion(
  key: KeyObject,
  { account, audience, nowMs }: { account: string; audience: string; nowMs: number },
): string {
  const issuedAt = Math.floor(nowMs / 1000);
  const encode = (value: unknown): string =>
    Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${encode({ alg: 'EdDSA', typ: ASSERTION_TYPE, kid: toKeyId(key) })}.${encode({
    iss: account,
    sub: account,
    aud: audience,
    jti: randomUUID(),
    iat: issuedAt,
    exp: issuedAt + ASSERTION_VALID_FOR_S,
  })}`;
  return `${signed}.${sign(null, Buffer.from(signed), key).toString('base64url')}`;
}

async function fetchAccessToken(options: TokenSourceOptions, key: KeyObject): Promise<Held> {
  const { credential, audience, tenant } = options;
  return fetchToken(options.transport, {
    grant_type: 'client_credentials',
    client_id: credential.account,
    tenant,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: createAssertion(key, {
      account: credential.account,
      audience,
      nowMs: Date.now(),
    }),
  });
}

async function fetchResidencyClaim(
  options: TokenSourceOptions,
  accessToken: string,
): Promise<Held> {
  return fetchToken(options.transport, {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: accessToken,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    requested_token_type: 'urn:bailiwick:token-type:residency',
    resource: options.residency,
  });
}

async function fetchToken(
  transport: Transport,
  form: Readonly<Record<string, string>>,
): Promise<Held> {
  const sentAtMs = performance.now();
  const answer = await transport.call<TokenAnswer>({
    method: 'POST',
    path: '/v1/tokens',
    body: new URLSearchParams(form).toString(),
    contentType: 'application/x-www-form-urlencoded',
  });
  if (!answer.ok) {
    throw new SdkError('SDK_SIGN_IN_REFUSED', `the cell gave no token: ${answer.problem.title}`, {
      details: { code: answer.problem.code, status: answer.problem.status },
      cause: answer.problem,
    });
  }
  const { access_token: token, expires_in: validForS } = unwrap(answer);
  if (typeof token !== 'string' || typeof validForS !== 'number' || !(validForS > 0)) {
    throw new SdkError('SDK_ANSWER_INVALID', 'expected `access_token` and `expires_in`');
  }
  const lifeMs = validForS * 1000;
  return {
    token,
    renewAtMs: sentAtMs + lifeMs * (1 - TOKEN_RENEWAL_SHARE),
    endsAtMs: sentAtMs + lifeMs,
  };
}

/** One value kept fresh: renewed ahead in the background, waited for only when it has ended. */
function renewing(fetchOne: () => Promise<Held>): {
  readonly get: () => Promise<string>;
  readonly discard: () => void;
} {
  let held: Held | undefined;
  let running: Promise<Held> | undefined;
  const renew = (): Promise<Held> => {
    running ??= fetchOne()
      .then((next) => {
        held = next;
        return next;
      })
      .finally(() => {
        running = undefined;
      });
    return running;
  };
  return {
    async get() {
      const nowMs = performance.now();
      if (held === undefined || nowMs >= held.endsAtMs) return (await renew()).token;
      // A renewal ahead of time may fail: the next call tries again while the old token still holds.
      if (nowMs >= held.renewAtMs) renew().catch(() => undefined);
      return held.token;
    },
    discard() {
      held = undefined;
    },
  };
}
