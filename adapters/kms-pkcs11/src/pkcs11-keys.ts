// SPDX-License-Identifier: Apache-2.0
// Customer keys in a hardware security module. The keys are not extractable: they are made in the token
// and used in it.
import {
  type AeadCiphertext,
  type AeadKeyState,
  type AeadKeys,
  createProvider,
  encodeAeadCiphertext,
  PROVIDER_TIMEOUT_MS,
  type ProviderOptions,
  parseAeadCiphertext,
  type Question,
  unavailable,
  withDeadline,
} from '@bailiwick/customer-keys';
import type { CustomerKeyProvider } from '@bailiwick/keys';
import { TokenLink } from './token-link.ts';
import type { TokenOptions } from './token-options.ts';
import type { Verb } from './wire.ts';

export interface Pkcs11Options extends TokenOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** For one question, waiting for its turn included. */
  readonly timeoutMs?: number;
}

/** One version of a key in the token. */
export interface Pkcs11KeyVersion {
  /** CKA_ID in hex. */
  readonly id: string;
  readonly canEncrypt: boolean;
  readonly canDecrypt: boolean;
}

/** The keys of one token, and what their owner does with them. */
export interface Pkcs11Keys extends AeadKeys {
  /** Of the token process, while there is one. */
  readonly pid: number | undefined;
  /** Throws unless the token encrypts and decrypts, under a key of the session. */
  probe(question?: Question): Promise<void>;
  listKeys(): Promise<readonly string[]>;
  listVersions(name: string): Promise<readonly Pkcs11KeyVersion[]>;
  createKey(name: string): Promise<void>;
  /** A new version encrypts from now on; those before only decrypt. */
  rotateKey(name: string): Promise<void>;
  /** Both false disables: the token itself refuses, whoever asks. */
  permitUses(
    name: string,
    uses: { readonly encrypt: boolean; readonly decrypt: boolean },
  ): Promise<void>;
  destroyKey(name: string): Promise<void>;
  close(): void;
}

const toField = (name: string): Buffer => Buffer.from(name, 'utf8');
const toFlag = (isSet: boolean): Buffer => Buffer.from([isSet ? 1 : 0]);

function parseVersions(fields: readonly Buffer[]): readonly Pkcs11KeyVersion[] {
  return fields.flatMap((id, index) =>
    index % 3 === 0
      ? [
          {
            id: id.toString('hex'),
            canEncrypt: fields[index + 1]?.[0] === 1,
            canDecrypt: fields[index + 2]?.[0] === 1,
          },
        ]
      : [],
  );
}

function toState(versions: readonly Pkcs11KeyVersion[]): AeadKeyState | undefined {
  if (versions.length === 0) return undefined;
  const canEncrypt = versions.some((version) => version.canEncrypt);
  const canDecrypt = versions.some((version) => version.canDecrypt);
  return { status: canEncrypt || canDecrypt ? 'enabled' : 'disabled', canEncrypt, canDecrypt };
}

function parseSealed(fields: readonly Buffer[]): AeadCiphertext {
  const [version, iv, ciphertext, tag] = fields;
  if (!version || !iv || !ciphertext || !tag) throw unavailable('failed');
  return { version, iv, ciphertext, tag };
}

/** Opens the keys of one token. The token process starts with the first question. */
export function openPkcs11Keys(options: Pkcs11Options): Pkcs11Keys {
  const { timeoutMs = PROVIDER_TIMEOUT_MS } = options;
  const link = new TokenLink({ ...options, hangMs: timeoutMs });
  const ask = (
    verb: Verb,
    fields: readonly Buffer[],
    question?: Question,
  ): Promise<readonly Buffer[]> =>
    question === undefined
      ? withDeadline(timeoutMs, (signal) => link.ask({ verb, fields, signal }))
      : link.ask({ verb, fields, signal: question.signal });
  const tell = async (verb: Verb, ...fields: readonly Buffer[]): Promise<void> => {
    await ask(verb, fields);
  };
  return {
    kind: 'pkcs11',
    get pid() {
      return link.pid;
    },
    async find(name, question) {
      return toState(parseVersions(await ask('find', [toField(name)], question)));
    },
    async encrypt(name, plaintext, authenticatedData, question) {
      const fields = [toField(name), plaintext, authenticatedData];
      return parseSealed(await ask('encrypt', fields, question));
    },
    async decrypt(name, { version, iv, ciphertext, tag }, authenticatedData, question) {
      const fields = [toField(name), version, iv, ciphertext, tag, authenticatedData];
      const [plaintext] = await ask('decrypt', fields, question);
      if (plaintext === undefined) throw unavailable('failed');
      return plaintext;
    },
    probe: async (question) => {
      await ask('probe', [], question);
    },
    listKeys: async () => (await ask('list', [])).map((field) => field.toString('utf8')),
    listVersions: async (name) => parseVersions(await ask('find', [toField(name)])),
    createKey: (name) => tell('create', toField(name)),
    rotateKey: (name) => tell('rotate', toField(name)),
    permitUses: (name, { encrypt, decrypt }) =>
      tell('permit', toField(name), toFlag(encrypt), toFlag(decrypt)),
    destroyKey: (name) => tell('destroy', toField(name)),
    close: () => link.close(),
  };
}

export interface Pkcs11ProviderOptions extends ProviderOptions {
  /** Whether keys may be made here. A customer who makes them with tools of their own says no. */
  readonly createsKeys: boolean;
}

/** The provider's port over a token's keys. */
export function createPkcs11Provider(
  keys: Pkcs11Keys,
  options: Pkcs11ProviderOptions,
): CustomerKeyProvider {
  const { createsKeys, ...rest } = options;
  const nameOf = options.nameOf ?? ((keyId: string): string => keyId);
  const provider = createProvider(
    {
      kind: keys.kind,
      async findStatus(name, question) {
        const state = await keys.find(name, question);
        if (state === undefined) return 'absent';
        return state.canEncrypt && state.canDecrypt ? 'enabled' : 'disabled';
      },
      ...(createsKeys ? { ensure: (name: string) => keys.createKey(name) } : {}),
      async encrypt(name, plaintext, question) {
        const { authenticatedData } = question;
        return encodeAeadCiphertext(
          await keys.encrypt(name, plaintext, authenticatedData, question),
        );
      },
      async decrypt(name, ciphertext, question) {
        const sealed = parseAeadCiphertext(ciphertext);
        return keys.decrypt(name, sealed, question.authenticatedData, question);
      },
    },
    rest,
  );
  return createsKeys
    ? { ...provider, destroyKey: (keyId) => keys.destroyKey(nameOf(keyId)) }
    : provider;
}
