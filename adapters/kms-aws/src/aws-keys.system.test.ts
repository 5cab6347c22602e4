// SPDX-License-Identifier: Apache-2.0
// Goal: the provider's promises through the official SDK. Method: the port's suite against a local server
// with AWS KMS's protocol, which verifies signatures; AWS itself was not run.
import { createUuidV7, parseKeyId } from '@bailiwick/kernel';
import { createKey } from '@bailiwick/keys';
import { createFakeClock, createSeededRandom } from '@bailiwick/testkit';
import { startAwsKmsServer } from '@bailiwick/testkit/servers/aws-kms';
import { toFaults } from '@bailiwick/testkit/servers/faulty-server';
import {
  aWrapContext,
  describeCustomerKeyProvider,
} from '@bailiwick/testkit/suites/customer-key-provider';
import { describe, expect, it } from 'vitest';
import { openAwsKmsProvider } from './index.ts';

const TIMEOUT_MS = 1500;
const region = 'eu-central-1';

describeCustomerKeyProvider('aws-kms (official SDK, local server)', {
  async open() {
    const { server, keys, credentials } = await startAwsKmsServer();
    const options = { region, endpoint: server.url, credentials, timeoutMs: TIMEOUT_MS };
    const provider = openAwsKmsProvider(options);
    return {
      provider,
      timeoutMs: TIMEOUT_MS,
      faults: toFaults(server, keys, (keyId) => `bailiwick-${keyId}`),
      async close() {
        provider.close();
        await server.close();
      },
    };
  },
});

describe('AWS KMS', () => {
  const keyId = parseKeyId(
    createUuidV7({ clock: createFakeClock(), random: createSeededRandom(4) }),
  );

  it('is told the context in words that a policy and CloudTrail can read', async () => {
    const { server, keys, credentials, contexts } = await startAwsKmsServer();
    keys.make(`bailiwick-${keyId}`);
    const provider = openAwsKmsProvider({ region, endpoint: server.url, credentials });
    const context = aWrapContext(keyId);
    await provider.wrap(keyId, createKey(), context);
    expect(contexts[0]).toEqual({
      'bailiwick:cell': 'eu-de/main',
      'bailiwick:key': context.keyId,
      'bailiwick:kind': 'tenant-key',
      'bailiwick:owner': context.owner,
      'bailiwick:tenant': context.tenantId,
      'bailiwick:under': keyId,
      'bailiwick:under-version': '1',
      'bailiwick:version': '1',
    });
    provider.close();
    await server.close();
  });

  it('that does not know who asks is away and not disabled', async () => {
    const { server, keys, credentials } = await startAwsKmsServer();
    keys.make(`bailiwick-${keyId}`);
    const wrong = { ...credentials, secretAccessKey: 'another' };
    const provider = openAwsKmsProvider({ region, endpoint: server.url, credentials: wrong });
    await expect(provider.findStatus(keyId)).rejects.toMatchObject({
      code: 'KEYS_PROVIDER_UNAVAILABLE',
      details: { reason: 'unauthenticated' },
    });
    provider.close();
    await server.close();
  });
});
