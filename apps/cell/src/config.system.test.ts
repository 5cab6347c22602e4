// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isCoded } from '@bailiwick/kernel';
import { afterAll, describe, expect, it } from 'vitest';
import { loadCellConfig } from './config.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-config-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const KEY = `${'A'.repeat(43)}=`;
const YAML = `cell: eu-de
location: { jurisdiction: de, observed: { kind: configured, jurisdiction: de } }
operator: { jurisdiction: de, name: test }
public: { host: 127.0.0.1, port: 7410, name: eu-de.cells.bailiwick.localhost, certFile: a.pem, keyFile: a.key }
internal: { host: 127.0.0.1, port: 7411 }
identity: { certFile: i.pem, keyFile: i.key, bundleFile: b.pem }
database: { urlFile: u, keysUrlFile: k }
keyService: { host: 127.0.0.1, port: 7412, customerKeys: { kind: file, directory: keys }, erasableStore: { replicas: [a, b] } }
control: { url: "https://127.0.0.1:7400", spiffeId: "spiffe://bailiwick.localhost/control", bundleKeys: ["${KEY}"] }
trust: { approvers: [], threshold: 2 }
ledger: { keyFile: l.key, epoch: 1 }
state: state
telemetry: { directory: logs }
`;

function load(text: string, more: Partial<Parameters<typeof loadCellConfig>[0]> = {}) {
  const file = path.join(directory, 'cell.yaml');
  writeFileSync(file, text);
  return loadCellConfig({ file, ...more });
}

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (isCoded(error, 'CELL_CONFIG_INVALID')) return error.message;
    throw error;
  }
  throw new Error('expected CELL_CONFIG_INVALID');
}

describe('cell.yaml', () => {
  it('is read with its defaults, full ids and absolute paths', () => {
    const { config, origins } = load(YAML);
    expect(config.cell).toBe('eu-de/main');
    expect(config.control.pollMs).toBe(250);
    expect(config.limits.inFlightPerTenantCountMax).toBe(64);
    expect(config.public.certFile).toBe(path.join(directory, 'a.pem'));
    expect(config.keyService.erasableStore.replicas[1]).toBe(path.join(directory, 'b'));
    expect(config.state).toBe(path.join(directory, 'state'));
    expect(origins['control.pollMs']).toBe('default');
    expect(origins['public.port']).toBe('file');
  });

  it('takes a flag before a variable, a variable before the file', () => {
    const environment = { BAILIWICK_PUBLIC_PORT: '1', BAILIWICK_CONTROL_POLL_MS: '99' };
    const { config, origins } = load(YAML, { environment, flags: { 'public-port': '0' } });
    expect(config.public.port).toBe(0);
    expect(config.control.pollMs).toBe(99);
    expect(origins).toMatchObject({ 'public.port': 'flag', 'control.pollMs': 'environment' });
  });

  it.each([
    ['an unknown key', `${YAML}colour: red\n`, 'cell configuration'],
    ['an unknown nested key', YAML.replace('epoch: 1', 'epoch: 1, secret: x'), '/ledger'],
    ['a missing key', YAML.replace('state: state\n', ''), 'state'],
    ['a port out of range', YAML.replace('port: 7410', 'port: 70000'), '/public/port'],
    ['a single replica', YAML.replace('[a, b]', '[a]'), 'replicas'],
    ['two replicas in one place', YAML.replace('[a, b]', '[a, a]'), 'replicas'],
    ['a threshold of one', YAML.replace('threshold: 2', 'threshold: 1'), '/trust/threshold'],
    ['plain http to the control plane', YAML.replace('https:', 'http:'), '/control/url'],
    ['a key twice', `${YAML}state: other\n`, 'line 14'],
    ['broken YAML', 'cell: [', 'line 1'],
    ['no mapping', '- a', 'mapping'],
    ['a bundle key of a wrong size', YAML.replace(KEY, 'AAAA'), '/control/bundleKeys'],
  ])('refuses %s', (_what, text, expected) => {
    expect(messageOf(() => load(text))).toContain(expected);
  });

  it('refuses a flag that names no setting, and a file that is not there', () => {
    expect(messageOf(() => load(YAML, { flags: { 'public-prot': '1' } }))).toContain('public-prot');
    expect(messageOf(() => loadCellConfig({ file: '/nowhere/cell.yaml' }))).toContain('cannot be');
  });

  it('refuses a variable that is not a number where one is expected', () => {
    const environment = { BAILIWICK_PUBLIC_PORT: 'seven' };
    expect(messageOf(() => load(YAML, { environment }))).toContain('/public/port');
  });
});
