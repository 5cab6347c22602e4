// SPDX-License-Identifier: Apache-2.0
// A proxy on a fresh software token, set up as its user would, and certificates of callers.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findPkcs11Problem, findSoftHsmLibrary } from '@bailiwick/kms-pkcs11';
import {
  createSoftToken,
  findSoftHsmUtility,
  type SoftToken,
} from '@bailiwick/testkit/servers/soft-token';
import * as x509 from '@peculiar/x509';
import { type Enrolment, setUpKeyProxy } from './set-up.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const library = findSoftHsmLibrary() ?? '';

/** Why these tests cannot run here. */
export const PROXY_PROBLEM: string | undefined =
  findPkcs11Problem() ??
  (library === '' || findSoftHsmUtility() === undefined ? 'softhsm2 is not installed' : undefined);

export interface ClientCertificate {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate that signs itself. */
export async function createClientCertificate(
  directory: string,
  name: string,
  validForMs = 3_600_000,
): Promise<ClientCertificate> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: `CN=${name}`,
      keys,
      notBefore: new Date(Date.now() - 7_200_000),
      notAfter: new Date(Date.now() + validForMs),
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
        new x509.SubjectAlternativeNameExtension([
          { type: 'url', value: `spiffe://bailiwick.test/${name}` },
        ]),
      ],
    },
    webcrypto,
  );
  const files = {
    certFile: path.join(directory, `${name}.pem`),
    keyFile: path.join(directory, `${name}.key`),
  };
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  writeFileSync(files.certFile, certificate.toString('pem'));
  writeFileSync(files.keyFile, x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'), { mode: 0o600 });
  return files;
}

export interface TestProxy {
  readonly token: SoftToken;
  readonly library: string;
  readonly directory: string;
  readonly configFile: string;
  readonly client: ClientCertificate;
  readonly enrolment: Enrolment;
  remove(): void;
}

/** Sets a proxy up, as `init` does. It is not started. */
export async function setUpTestProxy(keyId: string): Promise<TestProxy> {
  const base = mkdtempSync(path.join(tmpdir(), 'bailiwick-key-proxy-'));
  const token = createSoftToken('customer');
  const client = await createClientCertificate(base, 'key-service');
  const directory = path.join(base, 'proxy');
  const enrolment = await setUpKeyProxy({
    directory,
    serverName: 'localhost',
    host: '127.0.0.1',
    port: 0,
    clientCertFile: client.certFile,
    clientCaFile: client.certFile,
    library,
    tokenLabel: token.tokenLabel,
    pinFile: token.pinFile,
    environment: token.environment,
    keyId,
    uriPathPrefix: '/acme',
  });
  return {
    token,
    library,
    directory,
    configFile: path.join(directory, 'key-proxy.yaml'),
    client,
    enrolment,
    remove() {
      token.remove();
      rmSync(base, { recursive: true, force: true });
    },
  };
}
