// SPDX-License-Identifier: Apache-2.0
// What a provider's adapter implements. `createProvider` makes the port of `@bailiwick/keys` of it.
import type { CustomerKeyStatus, WrapContext } from '@bailiwick/keys';

/** Why a question is asked now. It is told to key services that log it, and authenticates nothing. */
export interface Occasion {
  /** Who needs the key: a workload's id. */
  readonly workload: string;
  /** What for: a word of the charter, or of ours (`lease`, `rotation`). */
  readonly purpose: string;
}

/** One question's bounds and what it is about. */
export interface Question {
  /** Aborted at the deadline: nothing may go on after it. */
  readonly signal: AbortSignal;
  readonly occasion?: Occasion | undefined;
}

export interface ContextQuestion extends Question {
  readonly context: WrapContext;
  /** The context's one encoding, for providers that authenticate bytes. */
  readonly authenticatedData: Buffer;
}

/**
 * Encrypts small secrets under keys that never leave it. Failures are `KeysError`s with the codes of
 * `CustomerKeyProvider`; anything else that is thrown counts as a provider that failed.
 */
export interface ExternalKeys {
  readonly kind: string;
  findStatus(name: string, question: Question): Promise<CustomerKeyStatus>;
  /** Makes the key where this process is the one to make it. */
  ensure?(name: string, question: Question): Promise<void>;
  encrypt(name: string, plaintext: Buffer, question: ContextQuestion): Promise<Buffer>;
  /** The caller wipes what it gets. */
  decrypt(name: string, ciphertext: Buffer, question: ContextQuestion): Promise<Buffer>;
}

/** An AES-256-GCM ciphertext in its parts. */
export interface AeadCiphertext {
  /** Names the version of the key; 1 to 20 bytes. */
  readonly version: Buffer;
  readonly iv: Buffer;
  readonly ciphertext: Buffer;
  readonly tag: Buffer;
}

export interface AeadKeyState {
  readonly status: 'enabled' | 'disabled';
  readonly canEncrypt: boolean;
  readonly canDecrypt: boolean;
}

/**
 * AES-256-GCM under keys that never leave their place: what a key proxy serves. The additional data that
 * the cipher sees is `u16be length ‖ authenticatedData ‖ u8 length ‖ version`, so that the version cannot
 * be exchanged (XKS proxy API specification, Encrypt, `ciphertextMetadata`).
 */
export interface AeadKeys {
  readonly kind: string;
  find(name: string, question: Question): Promise<AeadKeyState | undefined>;
  encrypt(
    name: string,
    plaintext: Buffer,
    authenticatedData: Buffer,
    question: Question,
  ): Promise<AeadCiphertext>;
  decrypt(
    name: string,
    sealed: AeadCiphertext,
    authenticatedData: Buffer,
    question: Question,
  ): Promise<Buffer>;
}

/** Writes the additional data of an AES-GCM operation: see `AeadKeys`. */
export function toAeadData(authenticatedData: Uint8Array, version: Uint8Array): Buffer {
  const bytes = Buffer.alloc(3 + authenticatedData.length + version.length);
  bytes.writeUInt16BE(authenticatedData.length, 0);
  bytes.set(authenticatedData, 2);
  bytes.writeUInt8(version.length, 2 + authenticatedData.length);
  bytes.set(version, 3 + authenticatedData.length);
  return bytes;
}
