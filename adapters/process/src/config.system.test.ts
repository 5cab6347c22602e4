// SPDX-License-Identifier: Apache-2.0
// Goal: each setting comes from where the order says, and what is wrong is told with its place and without
// its value. Method: real files, a schema with every kind of setting.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CodedError } from '@bailiwick/kernel';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { afterAll, describe, expect, it } from 'vitest';
import { type ConfigKind, loadConfig, readSecretFile } from './config.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-process-config-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

interface Config {
  readonly listen: { readonly host: string; readonly portNumber: number };
  readonly keyFile: string;
  readonly replicas: readonly string[];
  readonly words: readonly string[];
  readonly pollMs: number;
}

const strict = { additionalProperties: false };
const schema = Type.Object(
  {
    listen: Type.Object({ host: Type.String(), portNumber: Type.Integer() }, strict),
    keyFile: Type.String(),
    replicas: Type.Array(Type.String()),
    words: Type.Array(Type.String()),
    pollMs: Type.Integer({ default: 250 }),
  },
  strict,
);
const kind: ConfigKind<Config> = {
  schema,
  parse(tree) {
    if (!Value.Check(schema, tree)) {
      throw new CodedError('TEST_WRONG', Value.Errors(schema, tree)[0]?.instancePath ?? '');
    }
    return tree;
  },
  refuse: (problem, cause) => new CodedError('TEST_CONFIG', problem, { cause }),
};

const YAML = `listen: { host: 127.0.0.1, portNumber: 1 }
keyFile: secrets/key.pem
replicas: [a, /b]
words: [a, b]
`;

function load(text: string, more: object = {}) {
  const file = path.join(directory, 'test.yaml');
  writeFileSync(file, text);
  return loadConfig(kind, { file, ...more });
}

describe('a configuration', () => {
  it('has paths relative to its file, defaults, and says where each value came from', () => {
    const { config, origins } = load(YAML);
    expect(config.keyFile).toBe(path.join(directory, 'secrets/key.pem'));
    expect(config.replicas).toEqual([path.join(directory, 'a'), '/b']);
    expect(config.words).toEqual(['a', 'b']);
    expect(origins).toMatchObject({ keyFile: 'file', pollMs: 'default' });
  });

  it('takes a flag before a variable, a variable before the file, the file before the default', () => {
    const environment = { BAILIWICK_LISTEN_PORT_NUMBER: '2', BAILIWICK_POLL_MS: '7' };
    const flags = { 'listen-port-number': '3' };
    const { config, origins } = load(`${YAML}pollMs: 5\n`, { environment, flags });
    expect(config.listen.portNumber).toBe(3);
    expect(config.pollMs).toBe(7);
    expect(origins).toMatchObject({ 'listen.portNumber': 'flag', pollMs: 'environment' });
  });

  it('can leave a section to flags', () => {
    const flags = { 'listen-host': '::1', 'listen-port-number': '9' };
    const { config } = load(YAML.replace(/^listen.*\n/, ''), { flags });
    expect(config.listen).toEqual({ host: '::1', portNumber: 9 });
  });

  it.each([
    ['an unknown key', `${YAML}surprise: hunter2\n`],
    ['a missing key', YAML.replace(/^keyFile.*\n/m, '')],
    ['a wrong type', YAML.replace('portNumber: 1', 'portNumber: hunter2')],
    ['a key twice', `${YAML}keyFile: hunter2\n`],
    ['broken YAML', '  - : [hunter2'],
    ['an alias that multiplies', 'a: &a [hunter2]\nb: *a\n'],
    ['a list', '- hunter2\n'],
    ['nothing', ''],
    ['a file that is too large', `# ${'hunter2'.repeat(200_000)}`],
  ])('with %s is refused without its values', (_, text) => {
    expect(() => load(text)).toThrow(/test\.yaml/);
    expect(() => load(text)).not.toThrow(/hunter2/);
  });

  it('refuses a flag that is no setting, and a number that is none', () => {
    expect(() => load(YAML, { flags: { 'listen-prot': 'x' } })).toThrow('--listen-prot');
    const environment = { BAILIWICK_POLL_MS: 'hunter2' };
    expect(() => load(YAML, { environment })).toThrow(/pollMs/);
    expect(() => load(YAML, { environment })).not.toThrow(/hunter2/);
  });

  it('refuses a file that is not there', () => {
    expect(() => loadConfig(kind, { file: '/nowhere/x.yaml' })).toThrow('cannot be read');
  });
});

describe('a secret', () => {
  it('is what stands in its file, without the line end', () => {
    const file = path.join(directory, 'secret');
    writeFileSync(file, 'hunter2\n');
    expect(readSecretFile(file, kind.refuse)).toBe('hunter2');
    expect(() => readSecretFile(`${file}.not`, kind.refuse)).toThrow('cannot be read');
  });
});
