// SPDX-License-Identifier: Apache-2.0
// Customer keys in AWS KMS, through its official SDK. The wrap's context is the encryption context: it is
// authenticated, readable in CloudTrail, and can be a condition of the key's policy.
import {
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  type KeyMetadata,
  KMSClient,
  type KMSClientConfig,
} from '@aws-sdk/client-kms';
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
import { type CustomerKeyStatus, KeysError, type WrapContext } from '@bailiwick/keys';

export interface AwsKmsOptions extends ProviderOptions {
  readonly region: string;
  /** Another endpoint: a VPC's, a FIPS one, or a local server. */
  readonly endpoint?: string;
  /**
   * For tests. Left out, the SDK finds the workload's own identity: a web identity token (IRSA), a
   * container's or an instance's role.
   */
  readonly credentials?: NonNullable<KMSClientConfig['credentials']>;
}

/** Once more after a failure of the network or the service, within the deadline. */
const ATTEMPTS_COUNT_MAX = 2;
const PREFIX = 'bailiwick:';

function toEncryptionContext(context: WrapContext): Record<string, string> {
  const { kind, cellId, tenantId, keyId, version, owner, under, underVersion } = context;
  return {
    [`${PREFIX}cell`]: cellId,
    [`${PREFIX}key`]: keyId,
    [`${PREFIX}kind`]: kind,
    [`${PREFIX}owner`]: owner,
    [`${PREFIX}tenant`]: tenantId,
    [`${PREFIX}under`]: under,
    [`${PREFIX}under-version`]: String(underVersion),
    [`${PREFIX}version`]: String(version),
  };
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : '');

/** What an exception of AWS KMS means to the port. Only its name is looked at and nothing is passed on. */
function toFailure(error: unknown, { signal }: Question): KeysError {
  if (signal.aborted) return unavailable('timeout');
  switch (nameOf(error)) {
    case 'NotFoundException':
      return unknownKey();
    case 'DisabledException':
    case 'InvalidKeyUsageException':
    // The owner took the permission away: that is a no and not an outage.
    case 'AccessDeniedException':
      return disabledKey();
    case 'InvalidCiphertextException':
    case 'IncorrectKeyException':
      return unreadableKey();
    case 'ThrottlingException':
    case 'LimitExceededException':
    case 'TooManyRequestsException':
      return unavailable('throttled');
    case 'DependencyTimeoutException':
    case 'TimeoutError':
      return unavailable('timeout');
    case 'UnrecognizedClientException':
    case 'ExpiredTokenException':
    case 'InvalidSignatureException':
    case 'InvalidClientTokenId':
    case 'CredentialsProviderError':
    case 'MissingAuthenticationTokenException':
      return unavailable('unauthenticated');
    default:
      return unavailable(isConnection(error) ? 'unreachable' : 'failed');
  }
}

const isConnection = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  /^(?:ECONN|ENOTFOUND|EAI_|EPIPE|EHOST|ENET)/.test(String(error.code));

function toStatus(metadata: KeyMetadata | undefined): CustomerKeyStatus {
  if (metadata?.KeyState === undefined) throw unavailable('failed');
  const { KeySpec, KeyUsage, KeyState } = metadata;
  if (KeySpec !== 'SYMMETRIC_DEFAULT' || KeyUsage !== 'ENCRYPT_DECRYPT') {
    throw new KeysError('KEYS_PROVIDER_MISCONFIGURED', 'KMS key must be SYMMETRIC_DEFAULT');
  }
  // An external key store that is away is not a key that is disabled.
  if (KeyState === 'Unavailable') throw unavailable('unreachable');
  return KeyState === 'Enabled' ? 'enabled' : 'disabled';
}

function toKeys(client: KMSClient): ExternalKeys {
  const ask = async <T>(question: Question, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (error instanceof KeysError) throw error;
      throw toFailure(error, question);
    }
  };
  const findStatus = async (name: string, question: Question): Promise<CustomerKeyStatus> => {
    const { signal } = question;
    try {
      return await ask(question, async () => {
        const command = new DescribeKeyCommand({ KeyId: name });
        const { KeyMetadata } = await client.send(command, { abortSignal: signal });
        return toStatus(KeyMetadata);
      });
    } catch (error) {
      if (isCoded(error, 'KEYS_CUSTOMER_KEY_UNKNOWN')) return 'absent';
      if (isCoded(error, 'KEYS_CUSTOMER_KEY_DISABLED')) return 'disabled';
      throw error;
    }
  };
  /** KMSInvalidStateException: pending deletion, or an external key store that is away. */
  const use = <T>(name: string, question: Question, work: () => Promise<T>): Promise<T> =>
    ask(question, () =>
      work().catch(async (error: unknown) => {
        if (nameOf(error) !== 'KMSInvalidStateException') throw error;
        const status = await findStatus(name, question);
        throw status === 'enabled' ? unavailable('failed') : disabledKey();
      }),
    );
  return {
    kind: 'aws-kms',
    findStatus,
    encrypt: (name, plaintext, question) =>
      use(name, question, async () => {
        const command = new EncryptCommand({
          KeyId: name,
          Plaintext: plaintext,
          EncryptionContext: toEncryptionContext(question.context),
        });
        const { CiphertextBlob } = await client.send(command, { abortSignal: question.signal });
        if (CiphertextBlob === undefined) throw unavailable('failed');
        return Buffer.from(CiphertextBlob);
      }),
    decrypt: (name, ciphertext, question) =>
      use(name, question, async () => {
        // SECURITY: the key is named: without it KMS would take whichever key the ciphertext says.
        const command = new DecryptCommand({
          KeyId: name,
          CiphertextBlob: ciphertext,
          EncryptionContext: toEncryptionContext(question.context),
        });
        const { Plaintext } = await client.send(command, { abortSignal: question.signal });
        if (Plaintext === undefined) throw unavailable('failed');
        return Buffer.from(Plaintext.buffer, Plaintext.byteOffset, Plaintext.byteLength);
      }),
  };
}

export interface AwsKmsProvider extends OccasionedProvider {
  close(): void;
}

/** Opens AWS KMS. A customer key is the alias `alias/bailiwick-<id>`, unless `nameOf` says otherwise. */
export function openAwsKmsProvider(options: AwsKmsOptions): AwsKmsProvider {
  const { region, endpoint, credentials, timeoutMs = PROVIDER_TIMEOUT_MS } = options;
  const client = new KMSClient({
    region,
    maxAttempts: ATTEMPTS_COUNT_MAX,
    requestHandler: { connectionTimeout: timeoutMs, requestTimeout: timeoutMs },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
  });
  const byAlias = { nameOf: (keyId: string) => `alias/bailiwick-${keyId}` };
  return {
    ...createProvider(toKeys(client), { ...byAlias, ...options }),
    close: () => client.destroy(),
  };
}
