// SPDX-License-Identifier: Apache-2.0
// One token through PKCS#11, in a process of its own: native libraries block, crash and hang, and a
// process can be killed. Runs synchronously, one operation after the other.
//
// A customer key is every AES-256 key object with its name as CKA_LABEL; each object is a version with
// its own CKA_ID. Versions encrypt and decrypt (current), decrypt only (rotated), or neither (disabled):
// the token itself enforces it by CKA_ENCRYPT and CKA_DECRYPT, not this program.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type * as Pkcs11 from 'pkcs11js';
import type { TokenOptions } from './token-options.ts';
import type { Outcome } from './wire.ts';

/** An operation that did not end well; `ckr` is PKCS#11's name of it, which holds no value. */
export class TokenError extends Error {
  readonly outcome: Outcome;
  readonly ckr: string;
  constructor(outcome: Outcome, ckr = '') {
    super(outcome);
    this.outcome = outcome;
    this.ckr = ckr;
  }
}

export interface KeyVersion {
  readonly id: Buffer;
  readonly canEncrypt: boolean;
  readonly canDecrypt: boolean;
}

interface KeyObject extends KeyVersion {
  readonly handle: Buffer;
}

export interface Sealed {
  readonly version: Buffer;
  readonly iv: Buffer;
  readonly ciphertext: Buffer;
  readonly tag: Buffer;
}

type Library = typeof Pkcs11;

const KEY_SIZE_BYTES = 32;
const IV_SIZE_BYTES = 12;
const TAG_SIZE_BYTES = 16;
const NAMES_CACHED_COUNT_MAX = 20_000;
/** What a token answers to a wrong tag; the last two also when it is broken, which a probe tells apart. */
const WRONG_TAG = [
  'CKR_ENCRYPTED_DATA_INVALID',
  'CKR_ENCRYPTED_DATA_LEN_RANGE',
  'CKR_SIGNATURE_INVALID',
  'CKR_DATA_INVALID',
  'CKR_AEAD_DECRYPT_FAILED',
];
const PERHAPS_WRONG_TAG = ['CKR_GENERAL_ERROR', 'CKR_FUNCTION_FAILED'];
const FORBIDDEN = ['CKR_KEY_FUNCTION_NOT_PERMITTED', 'CKR_ACTION_PROHIBITED'];
const PIN_REFUSED = [
  'CKR_PIN_INCORRECT',
  'CKR_PIN_INVALID',
  'CKR_PIN_LEN_RANGE',
  'CKR_PIN_EXPIRED',
  'CKR_PIN_LOCKED',
  'CKR_USER_PIN_NOT_INITIALIZED',
];
/** CKR_AEAD_DECRYPT_FAILED is of PKCS#11 3.0, which the binding does not name. */
const NAMES_OF_NUMBERS = new Map([[0x42, 'CKR_AEAD_DECRYPT_FAILED']]);

function toCkr(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const number = 'code' in error && typeof error.code === 'number' ? error.code : -1;
  return NAMES_OF_NUMBERS.get(number) ?? (/^CKR_\w+/.exec(error.message)?.[0] || 'CKR_UNNAMED');
}

const isTrue = (value: Buffer | string | number | boolean | undefined): boolean =>
  value instanceof Uint8Array ? value[0] === 1 : value === true || value === 1;

/** A token and the session to it. */
export class Token {
  readonly #library: Library;
  readonly #options: TokenOptions;
  #module: Pkcs11.PKCS11 | undefined;
  #slot: Buffer | undefined;
  #session: Buffer | undefined;
  #probe: Buffer | undefined;
  readonly #known = new Map<string, readonly KeyObject[]>();

  constructor(library: Library, options: TokenOptions) {
    this.#library = library;
    this.#options = options;
  }

  /** Opens library, token and session anew. Throws `lost`, `pin-refused` or `not-loaded`. */
  open(): void {
    this.close();
    const { CKF_SERIAL_SESSION, CKF_RW_SESSION } = this.#library;
    const module = new this.#library.PKCS11();
    try {
      module.load(this.#options.library);
    } catch (error) {
      throw new TokenError('not-loaded', toCkr(error));
    }
    this.#module = module;
    try {
      module.C_Initialize();
      const slot = module
        .C_GetSlotList(true)
        .find((item) => module.C_GetTokenInfo(item).label.trim() === this.#options.tokenLabel);
      if (slot === undefined) throw new TokenError('lost', 'CKR_TOKEN_NOT_PRESENT');
      this.#slot = slot;
      this.#session = module.C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION);
      this.#logIn(module, this.#session);
    } catch (error) {
      this.close();
      if (error instanceof TokenError) throw error;
      throw new TokenError('lost', toCkr(error));
    }
    this.#probe = this.#makeProbe();
  }

  #logIn(module: Pkcs11.PKCS11, session: Buffer): void {
    try {
      // The binding takes the PIN as a string, which cannot be wiped: this process holds it, and no other.
      const pin = readFileSync(this.#options.pinFile, 'utf8').trim();
      module.C_Login(session, this.#library.CKU_USER, pin);
    } catch (error) {
      const ckr = toCkr(error);
      if (ckr === 'CKR_USER_ALREADY_LOGGED_IN') return;
      throw new TokenError(PIN_REFUSED.includes(ckr) ? 'pin-refused' : 'lost', ckr);
    }
  }

  close(): void {
    this.#known.clear();
    const module = this.#module;
    this.#module = undefined;
    this.#session = undefined;
    this.#probe = undefined;
    for (const step of [() => module?.C_Finalize(), () => module?.close()]) {
      try {
        step();
      } catch {
        // What is lost already needs no closing.
      }
    }
  }

  #opened(): { readonly module: Pkcs11.PKCS11; readonly session: Buffer } {
    if (this.#module === undefined || this.#session === undefined) this.open();
    if (this.#module === undefined || this.#session === undefined) throw new TokenError('lost');
    return { module: this.#module, session: this.#session };
  }

  #find(name: string): readonly KeyObject[] {
    const { module, session } = this.#opened();
    const p = this.#library;
    module.C_FindObjectsInit(session, [
      { type: p.CKA_CLASS, value: p.CKO_SECRET_KEY },
      { type: p.CKA_KEY_TYPE, value: p.CKK_AES },
      { type: p.CKA_TOKEN, value: true },
      { type: p.CKA_LABEL, value: name },
    ]);
    const handles: Buffer[] = [];
    try {
      for (let h = module.C_FindObjects(session); h !== null; h = module.C_FindObjects(session)) {
        handles.push(h);
      }
    } finally {
      module.C_FindObjectsFinal(session);
    }
    const objects = handles.map((handle) => this.#describe(handle));
    // Newest first: ids begin with the instant at which they were made.
    return objects.sort((one, other) => Buffer.compare(other.id, one.id));
  }

  #describe(handle: Buffer): KeyObject {
    const { module, session } = this.#opened();
    const p = this.#library;
    const [id, encrypt, decrypt] = module.C_GetAttributeValue(session, handle, [
      { type: p.CKA_ID },
      { type: p.CKA_ENCRYPT },
      { type: p.CKA_DECRYPT },
    ]);
    const bytes = id?.value instanceof Uint8Array ? Buffer.from(id.value) : Buffer.alloc(0);
    return {
      handle,
      id: bytes,
      canEncrypt: isTrue(encrypt?.value),
      canDecrypt: isTrue(decrypt?.value),
    };
  }

  /**
   * Versions of a key, newest first. That there is none is believed only of a session just opened: a token
   * that was taken away looks empty.
   */
  find(name: string): readonly KeyVersion[] {
    const known = this.#find(name);
    if (known.length > 0) return this.#remember(name, known);
    this.open();
    return this.#remember(name, this.#find(name));
  }

  #remember(name: string, objects: readonly KeyObject[]): readonly KeyObject[] {
    if (this.#known.size >= NAMES_CACHED_COUNT_MAX) this.#known.clear();
    if (objects.length === 0) this.#known.delete(name);
    else this.#known.set(name, objects);
    return objects;
  }

  #objects(name: string): readonly KeyObject[] {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    this.find(name);
    const found = this.#known.get(name);
    if (found === undefined) throw new TokenError('unknown');
    return found;
  }

  /** Names of all keys; for people, not for the hot path. */
  list(): readonly string[] {
    const { module, session } = this.#opened();
    const p = this.#library;
    module.C_FindObjectsInit(session, [
      { type: p.CKA_CLASS, value: p.CKO_SECRET_KEY },
      { type: p.CKA_TOKEN, value: true },
    ]);
    const names = new Set<string>();
    const handles: Buffer[] = [];
    for (let h = module.C_FindObjects(session); h !== null; h = module.C_FindObjects(session)) {
      handles.push(h);
    }
    module.C_FindObjectsFinal(session);
    for (const handle of handles) {
      const [label] = module.C_GetAttributeValue(session, handle, [{ type: p.CKA_LABEL }]);
      if (label?.value instanceof Uint8Array) names.add(Buffer.from(label.value).toString('utf8'));
    }
    return [...names].sort();
  }

  #mechanism(iv: Buffer, data: Buffer): Pkcs11.Mechanism {
    const p = this.#library;
    const parameter = {
      type: p.CK_PARAMS_AES_GCM,
      iv,
      ivBits: iv.length * 8,
      tagBits: TAG_SIZE_BYTES * 8,
      // A pointer to nothing with length 0 is not the same to every token as no pointer.
      ...(data.length === 0 ? {} : { aad: data }),
    };
    return { mechanism: p.CKM_AES_GCM, parameter };
  }

  encrypt(name: string, plaintext: Buffer, toData: (version: Buffer) => Buffer): Sealed {
    try {
      return this.#encryptOnce(name, plaintext, toData);
    } catch (error) {
      if (toOutcome(error) !== 'disabled') throw error;
    }
    // What was known may be old: another process may have rotated or enabled the key since.
    this.find(name);
    return this.#encryptOnce(name, plaintext, toData);
  }

  #encryptOnce(name: string, plaintext: Buffer, toData: (version: Buffer) => Buffer): Sealed {
    const { module, session } = this.#opened();
    const current = this.#objects(name).find((object) => object.canEncrypt);
    if (current === undefined) throw new TokenError('disabled');
    const { handle, id } = current;
    const iv = randomBytes(IV_SIZE_BYTES);
    const room = Buffer.alloc(plaintext.length + TAG_SIZE_BYTES);
    module.C_EncryptInit(session, this.#mechanism(iv, toData(id)), handle);
    const sealed = module.C_Encrypt(session, plaintext, room);
    const cut = sealed.length - TAG_SIZE_BYTES;
    return { version: id, iv, ciphertext: sealed.subarray(0, cut), tag: sealed.subarray(cut) };
  }

  /** The caller wipes what it gets. */
  decrypt(name: string, sealed: Sealed, data: Buffer): Buffer {
    const { module, session } = this.#opened();
    const { version, iv, ciphertext, tag } = sealed;
    const object = this.#objects(name).find(({ id }) => id.equals(version));
    if (object === undefined) {
      // Another process may have rotated the key since.
      const found = this.find(name).some(({ id }) => id.equals(version));
      if (found) return this.decrypt(name, sealed, data);
      throw new TokenError('unreadable');
    }
    const room = Buffer.alloc(ciphertext.length + TAG_SIZE_BYTES);
    module.C_DecryptInit(session, this.#mechanism(iv, data), object.handle);
    try {
      return module.C_Decrypt(session, Buffer.concat([ciphertext, tag]), room);
    } catch (error) {
      room.fill(0);
      const ckr = toCkr(error);
      if (WRONG_TAG.includes(ckr)) throw new TokenError('unreadable', ckr);
      if (PERHAPS_WRONG_TAG.includes(ckr) && this.#isWorking()) {
        throw new TokenError('unreadable', ckr);
      }
      throw error;
    }
  }

  /** A key of this session alone, to see that the token works without touching anybody's key. */
  #makeProbe(): Buffer | undefined {
    const { module, session } = this.#opened();
    const p = this.#library;
    try {
      return module.C_GenerateKey(session, { mechanism: p.CKM_AES_KEY_GEN }, [
        { type: p.CKA_CLASS, value: p.CKO_SECRET_KEY },
        { type: p.CKA_KEY_TYPE, value: p.CKK_AES },
        { type: p.CKA_VALUE_LEN, value: KEY_SIZE_BYTES },
        { type: p.CKA_TOKEN, value: false },
        { type: p.CKA_PRIVATE, value: true },
        { type: p.CKA_SENSITIVE, value: true },
        { type: p.CKA_EXTRACTABLE, value: false },
        { type: p.CKA_ENCRYPT, value: true },
        { type: p.CKA_DECRYPT, value: true },
      ]);
    } catch {
      // Tokens may forbid session keys; the probe then reads the session's state only.
      return undefined;
    }
  }

  #isWorking(): boolean {
    try {
      this.#probeOnce();
      return true;
    } catch {
      return false;
    }
  }

  #probeOnce(): void {
    const { module, session } = this.#opened();
    module.C_GetSessionInfo(session);
    if (this.#slot !== undefined) module.C_GetTokenInfo(this.#slot);
    if (this.#probe === undefined) return;
    const iv = randomBytes(IV_SIZE_BYTES);
    const plain = randomBytes(16);
    const data = Buffer.from('probe');
    module.C_EncryptInit(session, this.#mechanism(iv, data), this.#probe);
    const sealed = module.C_Encrypt(session, plain, Buffer.alloc(64));
    module.C_DecryptInit(session, this.#mechanism(iv, data), this.#probe);
    const opened = module.C_Decrypt(session, sealed, Buffer.alloc(64));
    if (!opened.equals(plain)) throw new TokenError('failed');
  }

  /** Throws unless the token encrypts and decrypts. */
  probe(): void {
    this.#opened();
    this.#probeOnce();
  }

  /** Makes the first version; nothing when the key is there already. */
  create(name: string): void {
    if (this.find(name).length > 0) return;
    this.#generate(name);
    this.find(name);
  }

  #generate(name: string): void {
    const { module, session } = this.#opened();
    const p = this.#library;
    const id = Buffer.concat([Buffer.alloc(8), randomBytes(8)]);
    id.writeBigUInt64BE(BigInt(Date.now()), 0);
    const handle = module.C_GenerateKey(session, { mechanism: p.CKM_AES_KEY_GEN }, [
      { type: p.CKA_CLASS, value: p.CKO_SECRET_KEY },
      { type: p.CKA_KEY_TYPE, value: p.CKK_AES },
      { type: p.CKA_VALUE_LEN, value: KEY_SIZE_BYTES },
      { type: p.CKA_LABEL, value: name },
      { type: p.CKA_ID, value: id },
      { type: p.CKA_TOKEN, value: true },
      { type: p.CKA_PRIVATE, value: true },
      // SECURITY: the key cannot be read and cannot be wrapped out of the token.
      { type: p.CKA_SENSITIVE, value: true },
      { type: p.CKA_EXTRACTABLE, value: false },
      { type: p.CKA_ENCRYPT, value: true },
      { type: p.CKA_DECRYPT, value: true },
      { type: p.CKA_WRAP, value: false },
      { type: p.CKA_UNWRAP, value: false },
    ]);
    const [extractable] = module.C_GetAttributeValue(session, handle, [
      { type: p.CKA_EXTRACTABLE },
    ]);
    if (isTrue(extractable?.value)) {
      module.C_DestroyObject(session, handle);
      throw new TokenError('failed', 'extractable');
    }
  }

  /** A new version; those before decrypt only from now on. */
  rotate(name: string): void {
    const before = this.#objects(name);
    if (!before.some((object) => object.canEncrypt)) throw new TokenError('disabled');
    this.#generate(name);
    this.#set(before, { encrypt: false });
    this.find(name);
  }

  #set(
    objects: readonly KeyObject[],
    to: { readonly encrypt?: boolean; readonly decrypt?: boolean },
  ): void {
    const { module, session } = this.#opened();
    const p = this.#library;
    for (const { handle } of objects) {
      module.C_SetAttributeValue(session, handle, [
        ...(to.encrypt === undefined ? [] : [{ type: p.CKA_ENCRYPT, value: to.encrypt }]),
        ...(to.decrypt === undefined ? [] : [{ type: p.CKA_DECRYPT, value: to.decrypt }]),
      ]);
    }
  }

  /** Permits uses: the newest version encrypts, all decrypt. */
  permit(name: string, uses: { readonly encrypt: boolean; readonly decrypt: boolean }): void {
    this.find(name);
    const [newest, ...older] = this.#objects(name);
    if (newest !== undefined) this.#set([newest], uses);
    this.#set(older, { encrypt: false, decrypt: uses.decrypt });
    this.find(name);
  }

  /** Destroys all versions. */
  destroy(name: string): void {
    this.find(name);
    const { module, session } = this.#opened();
    for (const { handle } of this.#objects(name)) module.C_DestroyObject(session, handle);
    this.#known.delete(name);
  }

  /**
   * Runs `work`; on a lost session, token or stale handle opens everything anew and runs it once more.
   * Throws `TokenError`s only.
   */
  attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      const outcome = toOutcome(error);
      if (outcome !== undefined) throw new TokenError(outcome, toCkr(error));
    }
    this.open();
    try {
      return work();
    } catch (error) {
      const outcome = toOutcome(error) ?? 'failed';
      if (outcome === 'failed') this.close();
      throw error instanceof TokenError ? error : new TokenError(outcome, toCkr(error));
    }
  }
}

/** The outcome of an error, or undefined when it is worth another try. */
function toOutcome(error: unknown): Outcome | undefined {
  if (error instanceof TokenError) return error.outcome === 'lost' ? undefined : error.outcome;
  return FORBIDDEN.includes(toCkr(error)) ? 'disabled' : undefined;
}
