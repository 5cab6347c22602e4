// SPDX-License-Identifier: Apache-2.0
// What it costs that a customer key stays with its owner: a token behind a process of its own against the
// bare binding, and the key proxy over TLS with mTLS and signatures.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { toAeadData } from '@bailiwick/customer-keys';
import { parseCellId, parseKeyId, parseTenantId } from '@bailiwick/kernel';
import { type CustomerKeyProvider, createKey, type WrapContext } from '@bailiwick/keys';
import { createPkcs11Provider, openPkcs11Keys } from '@bailiwick/kms-pkcs11';
import { createSoftToken } from '@bailiwick/testkit/servers/soft-token';
import { openXksProvider } from '@bailiwick/xks';
import pkcs11js from 'pkcs11js';
import { setUpTestProxy } from '../../apps/key-proxy/src/testing.ts';
import { type BenchResult, measureRate, measureRounds, percentile } from './document.ts';

const KEY_ID = parseKeyId('0198c0de-0000-7000-8000-0000000000cc');
const TENANT_ID = parseTenantId('0198c0de-0000-7000-8000-000000000001');
const ROUND_MS = 1200;
const context: WrapContext = {
  kind: 'tenant-key',
  cellId: parseCellId('eu-de/main'),
  tenantId: TENANT_ID,
  keyId: parseKeyId('0198c0de-0000-7000-8000-0000000000aa'),
  version: 1,
  owner: TENANT_ID,
  under: KEY_ID,
  underVersion: 1,
};

/** Unwraps for a while with so many in flight; the rate in operations a second. */
async function unwrapFor(
  provider: CustomerKeyProvider,
  wrap: Buffer,
  options: { readonly inFlight: number; readonly timesMs?: number[] },
): Promise<number> {
  const startedAtMs = performance.now();
  let count = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() - startedAtMs < ROUND_MS) {
      const askedAtMs = performance.now();
      await provider.unwrap(KEY_ID, wrap, context);
      options.timesMs?.push(performance.now() - askedAtMs);
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: options.inFlight }, lane));
  return (count / (performance.now() - startedAtMs)) * 1000;
}

/** The binding alone, in this process, on the same token: a decryption of the same bytes. */
function openBare(library: string, label: string, pin: string) {
  const module = new pkcs11js.PKCS11();
  module.load(library);
  module.C_Initialize();
  const slot = module
    .C_GetSlotList(true)
    .find((s) => module.C_GetTokenInfo(s).label.trim() === label);
  if (slot === undefined) throw new Error('no token');
  const session = module.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION);
  module.C_Login(session, pkcs11js.CKU_USER, pin);
  module.C_FindObjectsInit(session, [{ type: pkcs11js.CKA_LABEL, value: KEY_ID }]);
  const key = module.C_FindObjects(session);
  module.C_FindObjectsFinal(session);
  if (key === null) throw new Error('no key');
  const iv = randomBytes(12);
  const aad = toAeadData(randomBytes(300), randomBytes(16));
  const parameter = { type: pkcs11js.CK_PARAMS_AES_GCM, iv, ivBits: 96, aad, tagBits: 128 };
  const mechanism = { mechanism: pkcs11js.CKM_AES_GCM, parameter };
  module.C_EncryptInit(session, mechanism, key);
  const sealed = Buffer.from(module.C_Encrypt(session, randomBytes(64), Buffer.alloc(80)));
  return (count: number): void => {
    for (let index = 0; index < count; index += 1) {
      module.C_DecryptInit(session, mechanism, key);
      module.C_Decrypt(session, sealed, Buffer.alloc(80));
    }
  };
}

/** Unwraps through the token process beside the bare binding. */
export async function measurePkcs11(library: string): Promise<BenchResult> {
  const token = createSoftToken('bench');
  const keys = openPkcs11Keys({ library, ...token, timeoutMs: 10_000 });
  const provider = createPkcs11Provider(keys, { createsKeys: true, timeoutMs: 10_000 });
  await provider.ensureKey(KEY_ID);
  const wrap = await provider.wrap(KEY_ID, createKey(), context);
  Object.assign(process.env, token.environment);

  const bare = openBare(library, token.tokenLabel, readFileSync(token.pinFile, 'utf8').trim());
  const measured = await measureRounds({
    ours: () => unwrapFor(provider, wrap, { inFlight: 64 }),
    baseline: () => measureRate(bare, ROUND_MS),
    rounds: 3,
  });
  keys.close();
  token.remove();
  return {
    id: 'keys.pkcs11.unwrap',
    what: 'unwraps of a tenant key on SoftHSM, 64 in flight, through the token process, binding checked',
    unit: 'op/s',
    value: measured.value,
    baseline: { name: 'bare pkcs11js, AES-GCM, same sizes', value: measured.baseline },
    ratio: measured.ratio,
  };
}

async function start(
  configFile: string,
): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const main = path.resolve(import.meta.dirname, '../../apps/key-proxy/src/main.ts');
  const args = [
    '--disable-warning=ExperimentalWarning',
    main,
    'serve',
    '--config',
    configFile,
    '--parent-pid',
    `${process.pid}`,
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error('the proxy ended')));
    child.stdout.once('data', (line: Buffer) => {
      const told: unknown = JSON.parse(line.toString());
      resolve({ child, port: Number(Reflect.get(Object(told), 'port')) });
    });
  });
}

/** AWS's default quota of a key store, requests a second. */
const AWS_QUOTA = 1800;

/** Decryptions by the key proxy as its callers see them. */
export async function measureProxy(): Promise<BenchResult> {
  const proxy = await setUpTestProxy(KEY_ID);
  // Whatever else runs on this machine, slow answers are measured and not cut off.
  const text = readFileSync(proxy.configFile, 'utf8');
  writeFileSync(proxy.configFile, text.replace('kind: pkcs11', 'kind: pkcs11\n  timeoutMs: 5000'));
  const { child, port } = await start(proxy.configFile);
  const { accessKeyId, secretFile, caFile, pin, uriPathPrefix } = proxy.enrolment;
  const provider = openXksProvider({
    url: `https://localhost:${port}`,
    ...{ uriPathPrefix, accessKeyId, secretFile },
    tls: { caFile, pins: [pin], ...proxy.client },
    workload: 'bench',
    timeoutMs: 10_000,
  });
  const wrap = await provider.wrap(KEY_ID, createKey(), context);
  await unwrapFor(provider, wrap, { inFlight: 16 });
  const timesMs: number[] = [];
  const rates: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    rates.push(await unwrapFor(provider, wrap, { inFlight: 16, timesMs }));
  }
  await provider.close();
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
  proxy.remove();
  const value = percentile(rates, 0.5);
  return {
    id: 'keys.proxy.decrypt',
    what: 'decryptions by the key proxy over mTLS with SigV4, log line each, SoftHSM, 16 in flight, client on the same machine',
    unit: 'op/s',
    value,
    p50: percentile(timesMs, 0.5),
    p99: percentile(timesMs, 0.99),
    baseline: { name: "AWS's default quota", value: AWS_QUOTA },
    ratio: value / AWS_QUOTA,
  };
}
