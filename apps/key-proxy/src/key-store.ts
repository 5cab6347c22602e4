// SPDX-License-Identifier: Apache-2.0
// One key store: its keys, who may use them, and the four operations of the XKS proxy API on them.
import { type AeadKeys, encodeBase64, withDeadline } from '@bailiwick/customer-keys';
import { wipe } from '@bailiwick/keys';
import { toIntegrityValue } from '@bailiwick/xks';
import type { KeyConfig } from './config.ts';
import { HEALTH_VALID_FOR_MS, TOKEN_TIMEOUT_MS } from './limits.ts';
import type { DecryptRequest, EncryptRequest, KnownContext, RequestMetadata } from './request.ts';
import { XksFailure } from './xks-error.ts';

/** Keys of a token and whether it works. */
export interface TokenKeys extends AeadKeys {
  /** The token's share of a request's time. */
  readonly timeoutMs?: number | undefined;
  probe(question: { readonly signal: AbortSignal }): Promise<void>;
}

const toText = (bytes: Uint8Array): string => encodeBase64(bytes).toString('latin1');
const labelOf = (key: KeyConfig): string => key.label ?? key.id;

function mayUse(key: KeyConfig, usage: 'ENCRYPT' | 'DECRYPT'): void {
  if (key.usages === undefined || key.usages.includes(usage)) return;
  throw new XksFailure('InvalidKeyUsageException', `the key may not ${usage.toLowerCase()}`);
}

/** @throws {XksFailure} `AccessDeniedException`; which rule refused is for the log only */
export function authorize(
  key: KeyConfig,
  metadata: RequestMetadata,
  context: KnownContext | undefined,
): void {
  const refuse = (rule: string): never => {
    throw new XksFailure('AccessDeniedException', 'the caller may not use this key', rule);
  };
  const { principals, tenants, cells } = key;
  const isIn = (list: readonly string[], value: string | undefined): boolean =>
    value !== undefined && list.includes(value);
  if (principals !== undefined && !isIn(principals, metadata.principal)) refuse('principals');
  if (tenants !== undefined && !isIn(tenants, context?.tenant)) refuse('tenants');
  if (cells !== undefined && !isIn(cells, context?.cell)) refuse('cells');
}

const ask = <T>(
  { timeoutMs = TOKEN_TIMEOUT_MS }: TokenKeys,
  work: (signal: AbortSignal) => Promise<T>,
  discard?: (late: T) => void,
): Promise<T> => withDeadline(timeoutMs, work, discard);

/** GetKeyMetadata. */
export async function describeKey(token: TokenKeys, key: KeyConfig): Promise<object> {
  const state = await ask(token, (signal) => token.find(labelOf(key), { signal }));
  if (state === undefined) {
    throw new XksFailure('KeyNotFoundException', 'the key is not in the token');
  }
  const usages = key.usages ?? ['ENCRYPT', 'DECRYPT'];
  const keyUsage = usages.filter((usage) =>
    usage === 'ENCRYPT' ? state.canEncrypt : state.canDecrypt,
  );
  const keyStatus = state.status === 'enabled' ? 'ENABLED' : 'DISABLED';
  return {
    keySpec: 'AES_256',
    keyUsage: state.status === 'enabled' ? keyUsage : usages,
    keyStatus,
  };
}

/** A key that does one of the two only is not disabled: it is for something else. */
async function explainRefusal(token: TokenKeys, key: KeyConfig, error: unknown): Promise<never> {
  const isDisabled =
    error instanceof Error && 'code' in error && error.code === 'KEYS_CUSTOMER_KEY_DISABLED';
  if (!isDisabled) throw error;
  const state = await ask(token, (signal) => token.find(labelOf(key), { signal }));
  if (state?.status === 'enabled') {
    throw new XksFailure('InvalidKeyUsageException', 'the key does not support this operation');
  }
  throw error;
}

/** Encrypt. With an integrity value, the ciphertext is opened again before it is given out. */
export async function encrypt(
  token: TokenKeys,
  key: KeyConfig,
  request: EncryptRequest,
): Promise<object> {
  mayUse(key, 'ENCRYPT');
  const { plaintext, authenticatedData, wantsIntegrityValue } = request;
  // An integrity value promises that the ciphertext opens, which only a key that decrypts can show.
  if (wantsIntegrityValue) mayUse(key, 'DECRYPT');
  const label = labelOf(key);
  const sealed = await ask(token, (signal) =>
    token.encrypt(label, plaintext, authenticatedData, { signal }),
  ).catch((error: unknown) => explainRefusal(token, key, error));
  const { version: metadata, iv, ciphertext, tag } = sealed;
  const answer = {
    authenticationTag: toText(tag),
    ciphertext: toText(ciphertext),
    ciphertextMetadata: toText(metadata),
    initializationVector: toText(iv),
  };
  if (!wantsIntegrityValue) return answer;
  // The value first, then the opening (Appendix C): what is damaged in between is seen.
  const value = toIntegrityValue({ authenticatedData, metadata, iv, ciphertext, tag });
  const again = await ask(
    token,
    (signal) => token.decrypt(label, sealed, authenticatedData, { signal }),
    wipe,
  ).catch((error: unknown) => explainRefusal(token, key, error));
  const isSame = again.equals(plaintext);
  wipe(again);
  if (!isSame) throw new XksFailure('InternalException', 'the token does not open what it sealed');
  return { ...answer, ciphertextDataIntegrityValue: toText(value) };
}

/** Decrypt. The caller wipes what it gets. */
export async function decrypt(
  token: TokenKeys,
  key: KeyConfig,
  request: DecryptRequest,
): Promise<Buffer> {
  mayUse(key, 'DECRYPT');
  const { authenticatedData, metadata, iv, ciphertext, tag } = request;
  const sealed = { version: metadata, iv, ciphertext, tag };
  return ask(
    token,
    (signal) => token.decrypt(labelOf(key), sealed, authenticatedData, { signal }),
    wipe,
  ).catch((error: unknown) => explainRefusal(token, key, error));
}

/** GetHealthStatus: a key of the session encrypts and decrypts; the answer holds for a few seconds. */
export function createHealthCheck(token: TokenKeys): () => Promise<object> {
  let checked: { readonly atMs: number; readonly done: Promise<void> } | undefined;
  return async () => {
    const nowMs = performance.now();
    if (checked === undefined || nowMs - checked.atMs > HEALTH_VALID_FOR_MS) {
      const done = ask(token, (signal) => token.probe({ signal }));
      done.catch(() => {
        // A failure is not remembered: the next question looks again.
        checked = undefined;
      });
      checked = { atMs: nowMs, done };
    }
    await checked.done;
    return {
      xksProxyFleetSize: 1,
      xksProxyVendor: 'Bailiwick',
      xksProxyModel: 'bailiwick key-proxy 0.1.0',
      ekmVendor: token.kind,
      ekmFleetDetails: [{ id: 'token-1', model: token.kind, healthStatus: 'ACTIVE' }],
    };
  };
}
