// SPDX-License-Identifier: Apache-2.0
// From a provider's configuration to the provider. Each adapter is loaded when it is configured and not
// before: the clouds' libraries are large, and the native module of PKCS#11 may not be there.
import type { KeyProviderConfig } from '@bailiwick/contracts';
import type { CustomerKeyProvider } from '@bailiwick/keys';
import { openFileProvider } from '@bailiwick/kms-file';

/** A provider that may hold connections or processes. */
export interface OpenedProvider {
  readonly provider: CustomerKeyProvider;
  close(): Promise<void>;
}

export interface ProviderSurroundings {
  /** SPIFFE id of the key service: who asks. */
  readonly workload: string;
  /** The key service's own certificate, shown to a customer's proxy. */
  readonly identity: { readonly certFile: string; readonly keyFile: string };
}

/** Who can use the keys of a provider, besides the customer (contract terms, `keyCustody`). */
export type Custody = 'cell' | 'customer' | 'hold-your-own';

/** What a kind of provider amounts to. SECURITY: said by kind, never by configuration. */
export function toCustody(config: KeyProviderConfig): Custody {
  switch (config.kind) {
    case 'file':
    case 'pkcs11':
      return 'cell';
    case 'aws-kms':
    case 'gcp-kms':
    case 'azure-hsm':
    case 'vault':
      return 'customer';
    case 'xks':
      return 'hold-your-own';
  }
}

const nothing = async (): Promise<void> => undefined;

/** Options that every adapter takes. A key of the customer's own name is that key, whatever its id here. */
function toShared(config: KeyProviderConfig): {
  readonly timeoutMs?: number;
  readonly nameOf?: () => string;
} {
  const { timeoutMs } = config;
  const keyName = 'keyName' in config ? config.keyName : undefined;
  return {
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(keyName === undefined ? {} : { nameOf: () => keyName }),
  };
}

/**
 * Opens a provider. Nothing is asked of it yet.
 *
 * @throws {KeysError} `KEYS_PROVIDER_MISCONFIGURED`
 */
export async function openProvider(
  config: KeyProviderConfig,
  surroundings: ProviderSurroundings,
): Promise<OpenedProvider> {
  const shared = toShared(config);
  switch (config.kind) {
    case 'file':
      return { provider: openFileProvider(config), close: nothing };
    case 'pkcs11': {
      const { createPkcs11Provider, openPkcs11Keys } = await import('@bailiwick/kms-pkcs11');
      const keys = openPkcs11Keys(config);
      const provider = createPkcs11Provider(keys, { createsKeys: config.createsKeys, ...shared });
      return { provider, close: async () => keys.close() };
    }
    case 'aws-kms': {
      const { openAwsKmsProvider } = await import('@bailiwick/kms-aws');
      const { region, endpoint } = config;
      const place = endpoint === undefined ? { region } : { region, endpoint };
      const provider = openAwsKmsProvider({ ...place, ...shared });
      return { provider, close: async () => provider.close() };
    }
    case 'gcp-kms': {
      const { openGcpKmsProvider } = await import('@bailiwick/kms-gcp');
      const provider = openGcpKmsProvider({ keyRing: config.keyRing, ...shared });
      return { provider, close: () => provider.close() };
    }
    case 'azure-hsm': {
      const { openAzureKeysProvider } = await import('@bailiwick/kms-azure');
      const { url, identity } = config;
      return { provider: openAzureKeysProvider({ url, identity, ...shared }), close: nothing };
    }
    case 'vault':
      return openVault(config, shared);
    case 'xks':
      return openXks(config, surroundings, shared);
  }
}

type Shared = ReturnType<typeof toShared>;
type ConfigOf<Kind> = Extract<KeyProviderConfig, { readonly kind: Kind }>;

async function openVault(config: ConfigOf<'vault'>, shared: Shared): Promise<OpenedProvider> {
  const { openVaultProvider } = await import('@bailiwick/kms-vault');
  const { url, auth, createsKeys, mount, namespace, caFile } = config;
  const provider = openVaultProvider({
    url,
    auth,
    createsKeys,
    ...(mount === undefined ? {} : { mount }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(caFile === undefined ? {} : { caFile }),
    ...shared,
  });
  return { provider, close: async () => void (await provider.close()) };
}

async function openXks(
  config: ConfigOf<'xks'>,
  { workload, identity }: ProviderSurroundings,
  shared: Shared,
): Promise<OpenedProvider> {
  const { openXksProvider } = await import('@bailiwick/xks');
  const { url, uriPathPrefix, accessKeyId, secretFile, caFile, pins, serverName } = config;
  const { certFile, keyFile } = identity;
  const provider = openXksProvider({
    url,
    accessKeyId,
    secretFile,
    workload,
    tls: {
      pins,
      certFile,
      keyFile,
      ...(caFile === undefined ? {} : { caFile }),
      ...(serverName === undefined ? {} : { serverName }),
    },
    ...(uriPathPrefix === undefined ? {} : { uriPathPrefix }),
    ...shared,
  });
  return { provider, close: () => provider.close() };
}
