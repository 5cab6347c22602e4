// SPDX-License-Identifier: Apache-2.0
// Messages between the key service and the cell's processes, over mTLS only. Keys travel as bytes behind
// the JSON and never inside it, so that they never become strings:
// u32be length of the JSON | JSON, in which `{"$key": n}` stands for the n-th key | 32 bytes a key.
import { KeyObject } from 'node:crypto';
import { KEY_SIZE_BYTES, KeysError, takeKey, wipe, withMaterial } from '@bailiwick/keys';

/** Largest message: 65,536 subjects' buckets are 64; a tenant's keys are a few. */
export const MESSAGE_SIZE_BYTES_MAX: number = 4 * 1024 * 1024;
const HEADER_SIZE_BYTES = 4;
const KEY_FIELD = '$key';

/** Writes a value that may hold keys. The result holds their bytes: send it and wipe it. */
export function encodeMessage(value: unknown): Buffer {
  const keys: KeyObject[] = [];
  const replace = (item: unknown): unknown => {
    if (item instanceof KeyObject) {
      keys.push(item);
      return { [KEY_FIELD]: keys.length - 1 };
    }
    if (Array.isArray(item)) return item.map(replace);
    if (typeof item !== 'object' || item === null) return item;
    return Object.fromEntries(Object.entries(item).map(([name, one]) => [name, replace(one)]));
  };
  const json = Buffer.from(JSON.stringify(replace(value) ?? null), 'utf8');
  const message = Buffer.alloc(HEADER_SIZE_BYTES + json.length + keys.length * KEY_SIZE_BYTES);
  message.writeUInt32BE(json.length, 0);
  json.copy(message, HEADER_SIZE_BYTES);
  let offset = HEADER_SIZE_BYTES + json.length;
  for (const key of keys) {
    withMaterial(key, (material) => material.copy(message, offset));
    offset += KEY_SIZE_BYTES;
  }
  return message;
}

function malformed(): KeysError {
  return new KeysError('KEYS_SERVICE_UNAVAILABLE', 'the key service answered nonsense');
}

/** Reads a message and wipes it. @throws {KeysError} `KEYS_SERVICE_UNAVAILABLE` */
export function parseMessage(message: Buffer): unknown {
  try {
    if (message.length < HEADER_SIZE_BYTES) throw malformed();
    const keysOffset = HEADER_SIZE_BYTES + message.readUInt32BE(0);
    const keysSize = message.length - keysOffset;
    if (keysSize < 0 || keysSize % KEY_SIZE_BYTES !== 0) throw malformed();
    const keyAt = (index: unknown): KeyObject => {
      const count = keysSize / KEY_SIZE_BYTES;
      if (!Number.isInteger(index) || Number(index) < 0 || Number(index) >= count) {
        throw malformed();
      }
      const offset = keysOffset + Number(index) * KEY_SIZE_BYTES;
      return takeKey(Buffer.from(message.subarray(offset, offset + KEY_SIZE_BYTES)));
    };
    const revive = (_name: string, item: unknown): unknown =>
      typeof item === 'object' && item !== null && KEY_FIELD in item
        ? keyAt(item[KEY_FIELD])
        : item;
    const json = message.subarray(HEADER_SIZE_BYTES, keysOffset).toString('utf8');
    try {
      return JSON.parse(json, revive);
    } catch {
      throw malformed();
    }
  } finally {
    wipe(message);
  }
}
