// SPDX-License-Identifier: Apache-2.0
// Goal: keys cross as bytes behind the JSON and never in it; anything malformed is refused whole, and what
// was read is wiped.
import { createSecretKey } from 'node:crypto';
import { createKey, withMaterial } from '@bailiwick/keys';
import { describe, expect, it } from 'vitest';
import { encodeMessage, parseMessage } from './wire.ts';

const refused = expect.objectContaining({ code: 'KEYS_SERVICE_UNAVAILABLE' });

describe('a message', () => {
  it('brings values and keys back', () => {
    const [one, two] = [createKey(), createKey()];
    const message = encodeMessage({ revision: 3, keys: [{ id: 'a', key: one }, { key: two }] });
    const read = parseMessage(message);
    expect(read).toMatchObject({ revision: 3, keys: [{ id: 'a' }, {}] });
    expect(JSON.stringify(read)).not.toContain('$key');
    const keys: unknown = Reflect.get(Object(read), 'keys');
    if (!Array.isArray(keys)) throw new Error('no keys');
    expect([one.equals(keys[0].key), two.equals(keys[1].key)]).toEqual([true, true]);
  });

  it('holds no key in its JSON, and nothing once it was read', () => {
    const key = createSecretKey(Buffer.alloc(32, 0x41));
    const message = encodeMessage({ key });
    const size = message.readUInt32BE(0);
    expect(message.subarray(4, 4 + size).toString()).toBe('{"key":{"$key":0}}');
    withMaterial(key, (material) => expect(message.subarray(4 + size).equals(material)).toBe(true));
    parseMessage(message);
    expect(message.every((byte) => byte === 0)).toBe(true);
  });

  it('may be nothing', () => {
    expect(parseMessage(encodeMessage(undefined))).toBeNull();
  });

  it('is refused when cut anywhere, or longer', () => {
    const whole = encodeMessage({ key: createKey(), other: 'x' });
    for (let size = 0; size < whole.length; size += 1) {
      expect(() => parseMessage(Buffer.from(whole.subarray(0, size)))).toThrow(refused);
    }
    expect(() => parseMessage(Buffer.concat([whole, Buffer.alloc(1)]))).toThrow(refused);
  });

  it.each(['{"$key":1}', '{"$key":-1}', '{"$key":"0"}', '{"$key":0.5}', '{"$key":null}', '{'])(
    'is refused with %s as JSON',
    (json) => {
      const text = Buffer.from(json);
      const header = Buffer.alloc(4);
      header.writeUInt32BE(text.length);
      expect(() => parseMessage(Buffer.concat([header, text, Buffer.alloc(32)]))).toThrow(refused);
    },
  );
});
