// SPDX-License-Identifier: Apache-2.0
// Goal: the provider's promises over Vault's HTTP API. Method: the port's suite against a local server with
// Vault's answers; Vault itself was not run.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createUuidV7, parseKeyId } from '@bailiwick/kernel';
import { createKey } from '@bailiwick/keys';
import { createFakeClock, createSeededRandom } from '@bailiwick/testkit';
import { toFaults } from '@bailiwick/testkit/servers/faulty-server';
import { startVaultServer, type VaultServer } from '@bailiwick/testkit/servers/vault-transit';
import {
  aWrapContext,
  describeCustomerKeyProvider,
} from '@bailiwick/testkit/suites/customer-key-provider';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openVaultProvider, type VaultAuth } from './index.ts';

const TIMEOUT_MS = 1500;

describeCustomerKeyProvider('vault (local server)', {
  async open() {
    const vault = await startVaultServer();
    const directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-vault-'));
    const jwtFile = path.join(directory, 'jwt');
    writeFileSync(jwtFile, 'good\n');
    const provider = openVaultProvider({
      url: vault.server.url,
      auth: { kind: 'jwt', mount: 'jwt', role: 'cell', jwtFile },
      createsKeys: false,
      timeoutMs: TIMEOUT_MS,
    });
    return {
      provider,
      timeoutMs: TIMEOUT_MS,
      faults: toFaults(vault.server, vault.keys),
      async close() {
        await provider.close();
        await vault.server.close();
        rmSync(directory, { recursive: true });
      },
    };
  },
});

describe('log-in at Vault', () => {
  const keyId = parseKeyId(
    createUuidV7({ clock: createFakeClock(), random: createSeededRandom(3) }),
  );
  const context = aWrapContext(keyId);
  let vault: VaultServer;
  let directory: string;
  const open = (auth: VaultAuth) =>
    openVaultProvider({ url: vault.server.url, auth, createsKeys: true, timeoutMs: TIMEOUT_MS });
  const write = (text: string): string => {
    const file = path.join(directory, 'secret');
    writeFileSync(file, text);
    return file;
  };
  beforeEach(async () => {
    vault = await startVaultServer();
    directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-vault-'));
  });
  afterEach(async () => {
    await vault.server.close();
    rmSync(directory, { recursive: true });
  });

  it('happens once for many questions, and again when the token has ended', async () => {
    const provider = open({ kind: 'jwt', mount: 'jwt', role: 'cell', jwtFile: write('good') });
    await provider.ensureKey(keyId);
    const wrap = await provider.wrap(keyId, createKey(), context);
    expect(vault.loginsCount).toBe(1);
    vault.revokeTokens();
    await provider.unwrap(keyId, wrap, context);
    expect(vault.loginsCount).toBe(2);
    await provider.close();
  });

  it('takes a token that an agent keeps in a file', async () => {
    const provider = open({ kind: 'token-file', file: write(vault.token) });
    await provider.ensureKey(keyId);
    expect(await provider.findStatus(keyId)).toBe('enabled');
    await provider.close();
  });

  it('does not take a refused log-in for a disabled key', async () => {
    const refused = { code: 'KEYS_PROVIDER_UNAVAILABLE', details: { reason: 'unauthenticated' } };
    const byJwt = open({ kind: 'jwt', mount: 'jwt', role: 'cell', jwtFile: write('bad') });
    await expect(byJwt.findStatus(keyId)).rejects.toMatchObject(refused);
    const byToken = open({ kind: 'token-file', file: write('hvs.nobody') });
    await expect(byToken.findStatus(keyId)).rejects.toMatchObject(refused);
    await byJwt.close();
    await byToken.close();
  });

  it('refuses to send a token over plain http to another machine', () => {
    for (const url of ['http://vault.example:8200', 'ftp://vault', 'vault', '']) {
      expect(() =>
        openVaultProvider({ url, auth: { kind: 'token-file', file: '/x' }, createsKeys: false }),
      ).toThrow(/https/);
    }
  });
});
