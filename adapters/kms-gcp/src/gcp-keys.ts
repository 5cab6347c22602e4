// SPDX-License-Identifier: Apache-2.0
// Customer keys in Google Cloud KMS, through its official SDK over REST (the SDK's gRPC would be a second
// transport to hold to the same promises). The wrap's context is the additional authenticated data.
import {
  createProvider,
  disabledKey,
  type ExternalKeys,
  type OccasionedProvider,
  PROVIDER_TIMEOUT_MS,
  type ProviderOptions,
  type Question,
  unavailable,
  unknownKey,
  unreadableKey,
} from '@bailiwick/customer-keys';
import { isCoded } from '@bailiwick/kernel';
import { type CustomerKeyStatus, KeysError } from '@bailiwick/keys';
import { KeyManagementServiceClient } from '@google-cloud/kms';
import { type AuthClient, GoogleAuth } from 'google-auth-library';
import { toCrc32c } from './crc32c.ts';

export interface GcpKmsOptions extends ProviderOptions {
  /** `projects/…/locations/…/keyRings/…`: its location is where the keys are. */
  readonly keyRing: string;
  /** For tests: a local server. */
  readonly local?: { readonly port: number; readonly authClient: AuthClient };
}

const KEY_RING = /^projects\/[\w:.-]+\/locations\/[\w-]+\/keyRings\/[\w-]+$/;
/** google.rpc.Code */
const CODES = {
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** What a status means to the port. Only the code is looked at and nothing is passed on. */
function toFailure(error: unknown, { signal }: Question): KeysError {
  if (signal.aborted) return unavailable('timeout');
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case CODES.notFound:
      return unknownKey();
    // The owner disabled or destroyed the version, or took the permission away.
    case CODES.failedPrecondition:
    case CODES.permissionDenied:
      return disabledKey();
    case CODES.invalidArgument:
      return unreadableKey();
    case CODES.resourceExhausted:
      return unavailable('throttled');
    case CODES.deadlineExceeded:
      return unavailable('timeout');
    case CODES.unauthenticated:
      return unavailable('unauthenticated');
    case CODES.unavailable:
      return unavailable('unreachable');
    default:
      return unavailable('failed');
  }
}

type Bytes = Uint8Array | string | null | undefined;
type Checksum = { readonly value?: unknown } | null | undefined;

function takeChecked(bytes: Bytes, checksum: Checksum): Buffer {
  if (!(bytes instanceof Uint8Array)) throw unavailable('failed');
  const taken = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (String(checksum?.value) !== String(toCrc32c(taken))) throw unavailable('failed');
  return taken;
}

function toKeys(
  client: KeyManagementServiceClient,
  keyRing: string,
  timeoutMs: number,
): ExternalKeys {
  // No retries: whoever asks knows better when to ask again.
  const callOptions = { timeout: timeoutMs, retry: null };
  const pathOf = (name: string): string => `${keyRing}/cryptoKeys/${name}`;
  const ask = async <T>(question: Question, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw error instanceof KeysError ? error : toFailure(error, question);
    }
  };
  return {
    kind: 'gcp-kms',
    async findStatus(name, question): Promise<CustomerKeyStatus> {
      try {
        return await ask(question, async () => {
          const [key] = await client.getCryptoKey({ name: pathOf(name) }, callOptions);
          if (key.purpose !== 'ENCRYPT_DECRYPT') throw unavailable('failed');
          return key.primary?.state === 'ENABLED' ? 'enabled' : 'disabled';
        });
      } catch (error) {
        if (isCoded(error, 'KEYS_CUSTOMER_KEY_UNKNOWN')) return 'absent';
        if (isCoded(error, 'KEYS_CUSTOMER_KEY_DISABLED')) return 'disabled';
        throw error;
      }
    },
    encrypt: (name, plaintext, question) =>
      ask(question, async () => {
        const { authenticatedData } = question;
        const [answer] = await client.encrypt(
          {
            name: pathOf(name),
            plaintext,
            plaintextCrc32c: { value: toCrc32c(plaintext) },
            additionalAuthenticatedData: authenticatedData,
            additionalAuthenticatedDataCrc32c: { value: toCrc32c(authenticatedData) },
          },
          callOptions,
        );
        const isVerified =
          answer.verifiedPlaintextCrc32c === true &&
          answer.verifiedAdditionalAuthenticatedDataCrc32c === true;
        if (!isVerified) throw unavailable('failed');
        return takeChecked(answer.ciphertext, answer.ciphertextCrc32c);
      }),
    decrypt: (name, ciphertext, question) =>
      ask(question, async () => {
        const { authenticatedData } = question;
        const [answer] = await client.decrypt(
          {
            name: pathOf(name),
            ciphertext,
            ciphertextCrc32c: { value: toCrc32c(ciphertext) },
            additionalAuthenticatedData: authenticatedData,
            additionalAuthenticatedDataCrc32c: { value: toCrc32c(authenticatedData) },
          },
          callOptions,
        );
        return takeChecked(answer.plaintext, answer.plaintextCrc32c);
      }),
  };
}

export interface GcpKmsProvider extends OccasionedProvider {
  close(): Promise<void>;
}

/**
 * Opens Google Cloud KMS by the workload's own identity. A customer key is the key `bailiwick-<id>` of the
 * ring, unless `nameOf` says otherwise.
 *
 * @throws {KeysError} `KEYS_PROVIDER_MISCONFIGURED`
 */
export function openGcpKmsProvider(options: GcpKmsOptions): GcpKmsProvider {
  const { keyRing, local, timeoutMs = PROVIDER_TIMEOUT_MS } = options;
  if (!KEY_RING.test(keyRing)) {
    throw new KeysError('KEYS_PROVIDER_MISCONFIGURED', 'key ring must be a full resource name');
  }
  const client = new KeyManagementServiceClient({
    fallback: true,
    ...(local === undefined
      ? {}
      : {
          apiEndpoint: '127.0.0.1',
          protocol: 'http',
          port: local.port,
          auth: new GoogleAuth({ authClient: local.authClient }),
        }),
  });
  const byId = { nameOf: (keyId: string) => `bailiwick-${keyId}` };
  return {
    ...createProvider(toKeys(client, keyRing, timeoutMs), { ...byId, ...options }),
    close: () => client.close(),
  };
}
