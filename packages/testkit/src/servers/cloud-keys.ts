// SPDX-License-Identifier: Apache-2.0
// The keys behind the local servers of cloud key services: AES-256-GCM with versions and states. What is
// stored under a key opens there only, with the same additional data.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

export type CloudKeyState = 'enabled' | 'disabled' | 'destroyed';

interface CloudKey {
  state: CloudKeyState;
  readonly versions: Buffer[];
}

export interface CloudSealed {
  /** From 1. */
  readonly version: number;
  /** Nonce, ciphertext, tag. */
  readonly bytes: Buffer;
}

const NONCE_SIZE_BYTES = 12;
const TAG_SIZE_BYTES = 16;

/** Named keys of one key service. */
export class CloudKeys {
  readonly #keys = new Map<string, CloudKey>();
  /** Well-formed answers that are wrong. */
  isLying = false;

  make(name: string): void {
    this.#keys.set(name, { state: 'enabled', versions: [randomBytes(32)] });
  }

  setState(name: string, state: CloudKeyState): void {
    const key = this.#keys.get(name);
    if (key === undefined) throw new Error('no such key');
    key.state = state;
    if (state === 'destroyed') key.versions.splice(0);
  }

  rotate(name: string): void {
    this.#keys.get(name)?.versions.push(randomBytes(32));
  }

  find(name: string): { readonly state: CloudKeyState; readonly version: number } | undefined {
    const key = this.#keys.get(name);
    return key && { state: key.state, version: key.versions.length };
  }

  /** With the newest version. */
  encrypt(name: string, plaintext: Buffer, data: Buffer): CloudSealed {
    const versions = this.#keys.get(name)?.versions ?? [];
    const nonce = randomBytes(NONCE_SIZE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', versions.at(-1) ?? Buffer.alloc(0), nonce);
    cipher.setAAD(data);
    const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
    const bytes = Buffer.concat([nonce, ciphertext, cipher.getAuthTag()]);
    return { version: versions.length, bytes };
  }

  /** Undefined when it does not open. */
  decrypt(name: string, sealed: CloudSealed, data: Buffer): Buffer | undefined {
    const key = this.#keys.get(name)?.versions[sealed.version - 1];
    const { bytes } = sealed;
    const tagAt = bytes.length - TAG_SIZE_BYTES;
    if (key === undefined || tagAt < NONCE_SIZE_BYTES) return undefined;
    if (this.isLying) return Buffer.alloc(tagAt - NONCE_SIZE_BYTES, 7);
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_SIZE_BYTES));
    decipher.setAAD(data).setAuthTag(bytes.subarray(tagAt));
    try {
      const part = decipher.update(bytes.subarray(NONCE_SIZE_BYTES, tagAt));
      return Buffer.concat([part, decipher.final()]);
    } catch {
      return undefined;
    }
  }
}
