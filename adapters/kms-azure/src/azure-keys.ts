// SPDX-License-Identifier: Apache-2.0
// Customer keys in Azure Managed HSM, through the official Key Vault SDK: AES-256 keys (`oct-HSM`) with
// A256GCM. The wrap's context is the additional authenticated data.
//
// Vaults that have RSA keys only are refused: whoever reads the public key could make a wrap of a tenant
// key of their own choosing, and nothing in RSA-OAEP would tell it from ours.
import { ManagedIdentityCredential, WorkloadIdentityCredential } from '@azure/identity';
import {
  CryptographyClient,
  type CryptographyClientOptions,
  KeyClient,
  type KeyVaultKey,
} from '@azure/keyvault-keys';
import {
  createProvider,
  disabledKey,
  type ExternalKeys,
  encodeAeadCiphertext,
  type OccasionedProvider,
  type ProviderOptions,
  parseAeadCiphertext,
  type Question,
  unavailable,
  unknownKey,
  unreadableKey,
} from '@bailiwick/customer-keys';
import { isCoded } from '@bailiwick/kernel';
import { type CustomerKeyStatus, KeysError } from '@bailiwick/keys';

type Credential = ConstructorParameters<typeof KeyClient>[1];

export interface AzureKeysOptions extends ProviderOptions {
  /** `https://acme.managedhsm.azure.net`. */
  readonly url: string;
  /** How this workload shows who it is: a federated token of Kubernetes, or the machine's own identity. */
  readonly identity: 'workload' | 'managed';
  /** For tests: a local server. */
  readonly local?: { readonly ca: string; readonly credential: Credential };
}

const VERSION = /^[0-9a-f]{32}$/;
const CLIENTS_COUNT_MAX = 1000;

/** What a failure of the SDK means to the port. Only status and code are looked at. */
function toFailure(error: unknown, { signal }: Question): KeysError {
  if (signal.aborted) return unavailable('timeout');
  if (!(error instanceof Error)) return unavailable('failed');
  const status = 'statusCode' in error ? error.statusCode : undefined;
  if (status === 404) return unknownKey();
  // Disabled, or the owner took the role away.
  if (status === 403) return disabledKey();
  if (status === 400) return unreadableKey();
  if (status === 401) return unavailable('unauthenticated');
  if (status === 429) return unavailable('throttled');
  if (status !== undefined) return unavailable('failed');
  const isIdentity = /Credential|Authentication/.test(error.name);
  if (isIdentity) return unavailable('unauthenticated');
  return unavailable('code' in error && error.code !== 'PARSE_ERROR' ? 'unreachable' : 'failed');
}

function toStatus({ keyType, properties }: KeyVaultKey): CustomerKeyStatus {
  if (keyType === undefined) throw unavailable('failed');
  if (keyType !== 'oct-HSM') {
    throw new KeysError('KEYS_PROVIDER_MISCONFIGURED', 'key must be an AES key of a Managed HSM');
  }
  if (properties.exportable === true) {
    throw new KeysError('KEYS_PROVIDER_MISCONFIGURED', 'key must not be exportable');
  }
  return properties.enabled === true ? 'enabled' : 'disabled';
}

/** The clients of one HSM: one for its keys, and one for each version in use. */
function openClients(options: AzureKeysOptions): {
  readonly keys: KeyClient;
  readonly versionOf: (name: string, version: string) => CryptographyClient;
} {
  const { url, identity, local } = options;
  const credential =
    local?.credential ??
    (identity === 'workload' ? new WorkloadIdentityCredential() : new ManagedIdentityCredential());
  const clientOptions: CryptographyClientOptions = {
    // Whoever asks knows better when to ask again.
    retryOptions: { maxRetries: 0 },
    ...(local === undefined
      ? {}
      : { disableChallengeResourceVerification: true, tlsOptions: { ca: local.ca } }),
  };
  const clients = new Map<string, CryptographyClient>();
  return {
    keys: new KeyClient(url, credential, clientOptions),
    versionOf(name, version) {
      const id = `${url}/keys/${name}/${version}`;
      const known = clients.get(id);
      if (known !== undefined) return known;
      if (clients.size >= CLIENTS_COUNT_MAX) clients.clear();
      const client = new CryptographyClient(id, credential, clientOptions);
      clients.set(id, client);
      return client;
    },
  };
}

function toKeys({ keys, versionOf }: ReturnType<typeof openClients>): ExternalKeys {
  const ask = async <T>(question: Question, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw error instanceof KeysError ? error : toFailure(error, question);
    }
  };
  const describe = (name: string, question: Question): Promise<KeyVaultKey> =>
    ask(question, () => keys.getKey(name, { abortSignal: question.signal }));
  return {
    kind: 'azure-hsm',
    async findStatus(name, question) {
      try {
        return toStatus(await describe(name, question));
      } catch (error) {
        if (isCoded(error, 'KEYS_CUSTOMER_KEY_UNKNOWN')) return 'absent';
        if (isCoded(error, 'KEYS_CUSTOMER_KEY_DISABLED')) return 'disabled';
        throw error;
      }
    },
    async encrypt(name, plaintext, question) {
      const key = await describe(name, question);
      if (toStatus(key) !== 'enabled') throw disabledKey();
      const { version = '' } = key.properties;
      if (!VERSION.test(version)) throw unavailable('failed');
      return ask(question, async () => {
        const { result, iv, authenticationTag } = await versionOf(name, version).encrypt(
          {
            algorithm: 'A256GCM',
            plaintext,
            additionalAuthenticatedData: question.authenticatedData,
          },
          { abortSignal: question.signal },
        );
        if (iv === undefined || authenticationTag === undefined) throw unavailable('failed');
        return encodeAeadCiphertext({
          version: Buffer.from(version, 'hex'),
          iv: Buffer.from(iv),
          ciphertext: Buffer.from(result),
          tag: Buffer.from(authenticationTag),
        });
      });
    },
    async decrypt(name, wrap, question) {
      const { version, iv, ciphertext, tag } = parseAeadCiphertext(wrap);
      const id = version.toString('hex');
      if (!VERSION.test(id)) throw unreadableKey();
      try {
        return await ask(question, async () => {
          const { result } = await versionOf(name, id).decrypt(
            {
              algorithm: 'A256GCM',
              ciphertext,
              iv,
              authenticationTag: tag,
              additionalAuthenticatedData: question.authenticatedData,
            },
            { abortSignal: question.signal },
          );
          if (!(result instanceof Uint8Array)) throw unavailable('failed');
          return Buffer.from(result.buffer, result.byteOffset, result.byteLength);
        });
      } catch (error) {
        if (!isCoded(error, 'KEYS_CUSTOMER_KEY_UNKNOWN')) throw error;
        // The key may be there and this version of it not: then the wrap is not this key's.
        const status = toStatus(await describe(name, question));
        throw status === 'enabled' ? unreadableKey() : disabledKey();
      }
    },
  };
}

/**
 * Opens a Managed HSM by the workload's own identity. A customer key is the key `bailiwick-<id>`, unless
 * `nameOf` says otherwise.
 *
 * @throws {KeysError} `KEYS_PROVIDER_MISCONFIGURED`
 */
export function openAzureKeysProvider(options: AzureKeysOptions): OccasionedProvider {
  const parsed = URL.parse(options.url);
  if (parsed?.protocol !== 'https:' || parsed.pathname !== '/' || options.url.endsWith('/')) {
    throw new KeysError('KEYS_PROVIDER_MISCONFIGURED', 'url must be https:// and a host');
  }
  const byId = { nameOf: (keyId: string) => `bailiwick-${keyId}` };
  return createProvider(toKeys(openClients(options)), { ...byId, ...options });
}
