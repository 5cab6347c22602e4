// SPDX-License-Identifier: Apache-2.0
// Goal: the name is found however a hello is cut up, and nothing else passes for a hello. Method: hellos
// of Node's own TLS client, and hellos built by hand with one thing wrong each.
import { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { parseClientHello } from './client-hello.ts';

/** The first flight of a real TLS client, without a network. */
async function aRealHello(options: {
  servername?: string;
  ALPNProtocols?: string[];
}): Promise<Buffer> {
  return await new Promise((resolve) => {
    const socket = new Duplex({
      read: () => undefined,
      write(chunk: Buffer, _encoding, done) {
        resolve(chunk);
        done();
      },
    });
    connect({ socket, ...options }).on('error', () => undefined);
  });
}

const u8 = (value: number): Buffer => Buffer.from([value]);
const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
const v8 = (data: Buffer): Buffer => Buffer.concat([u8(data.length), data]);
const v16 = (data: Buffer): Buffer => Buffer.concat([u16(data.length), data]);
const extension = (type: number, data: Buffer): Buffer => Buffer.concat([u16(type), v16(data)]);
const serverName = (name: string, type = 0): Buffer =>
  extension(0, v16(Buffer.concat([u8(type), v16(Buffer.from(name, 'latin1'))])));
const body = (extensions: Buffer | undefined): Buffer =>
  Buffer.concat([
    u16(0x0303),
    Buffer.alloc(32, 7),
    v8(Buffer.alloc(32, 8)),
    v16(u16(0x1301)),
    v8(u8(0)),
    ...(extensions === undefined ? [] : [v16(extensions)]),
  ]);
const message = (content: Buffer, type = 1): Buffer =>
  Buffer.concat([u8(type), u8(content.length >> 16), u16(content.length & 0xffff), content]);
const record = (data: Buffer, type = 22): Buffer =>
  Buffer.concat([u8(type), u16(0x0301), v16(data)]);
const hello = (extensions?: Buffer): Buffer => record(message(body(extensions)));

/** Feeds it as segments of this size, as the front does, and gives the name and how often it looked. */
function feed(bytes: Buffer, size: number): { name: string | undefined; looks: number } {
  let needed = 1;
  let looks = 0;
  for (let end = size; ; end += size) {
    const head = bytes.subarray(0, Math.min(end, bytes.length));
    if (head.length >= needed || end >= bytes.length) {
      looks += 1;
      const found = parseClientHello(head);
      if ('hello' in found) return { name: found.hello.serverName, looks };
      needed = found.neededBytes;
    }
    if (end >= bytes.length) return { name: 'INCOMPLETE', looks };
  }
}

describe('a client hello', () => {
  it('of a real client gives its server name', async () => {
    const real = await aRealHello({
      servername: 'EU-de.cells.bailiwick.localhost',
      ALPNProtocols: ['h2'],
    });
    expect(feed(real, real.length).name).toBe('eu-de.cells.bailiwick.localhost');
  });

  it('is read in segments of any size, with few looks', async () => {
    const real = await aRealHello({ servername: 'eu-de.cells.bailiwick.localhost' });
    for (const size of [1, 2, 3, 5, 7, 64, 500]) {
      const { name, looks } = feed(real, size);
      expect(name).toBe('eu-de.cells.bailiwick.localhost');
      expect(looks).toBeLessThan(6);
    }
  });

  it('without extensions or without a name has none', () => {
    expect(feed(hello(), 1).name).toBeUndefined();
    expect(feed(hello(extension(16, v16(v8(Buffer.from('h2'))))), 9).name).toBeUndefined();
  });

  it('may be cut into records anywhere', () => {
    const whole = message(body(serverName('a.example')));
    for (const at of [1, 2, 3, 4, 5, 40, whole.length - 1]) {
      const cut = Buffer.concat([record(whole.subarray(0, at)), record(whole.subarray(at))]);
      for (const size of [1, 4, cut.length]) expect(feed(cut, size).name).toBe('a.example');
    }
  });

  it('is read up to its end, whatever follows', () => {
    const early = Buffer.concat([hello(serverName('a.example')), Buffer.from('early data')]);
    expect(feed(early, early.length).name).toBe('a.example');
  });

  it('of nearly 16 KB is read over several records', () => {
    const padding = extension(21, Buffer.alloc(16_000));
    const whole = message(body(Buffer.concat([padding, serverName('a.example')])));
    const cut = Buffer.concat([record(whole.subarray(0, 9000)), record(whole.subarray(9000))]);
    expect(feed(cut, 1400).name).toBe('a.example');
  });

  it('that is cut short at any place is never taken for whole', () => {
    const good = hello(Buffer.concat([serverName('a.example'), extension(10, u16(0))]));
    for (let end = 0; end < good.length; end += 1) {
      const found = parseClientHello(good.subarray(0, end));
      expect(
        'neededBytes' in found && found.neededBytes > end && found.neededBytes <= good.length,
      ).toBe(true);
    }
  });
});

describe('what is no client hello', () => {
  const name = serverName('a.example');
  const large = message(body(Buffer.concat([extension(21, Buffer.alloc(16_300)), name])));
  const tooMany = Buffer.concat(
    [...message(body(name))].slice(0, 80).map((byte) => record(u8(byte))),
  );
  it.each([
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\n')],
    ['an SSH greeting', Buffer.from('SSH-2.0-x\r\n')],
    ['zeros', Buffer.alloc(64)],
    ['an SSL 2 hello', Buffer.from('802e0103010015', 'hex')],
    ['an alert', record(u16(0), 21)],
    ['application data', record(Buffer.alloc(20), 23)],
    ['a record of another major version', Buffer.from([22, 2, 1, 0, 5])],
    ['an empty record', Buffer.from([22, 3, 1, 0, 0])],
    ['a record that is too large', Buffer.from([22, 3, 1, 0x40, 1])],
    ['a server hello', record(message(body(name), 2))],
    ['a message of 16 MB', record(Buffer.from([1, 255, 255, 255]))],
    ['a hello beyond 16 KB', record(large.subarray(0, 16_000))],
    ['a hello in too many records', tooMany],
    [
      'a hello whose second record is an alert',
      Buffer.concat([record(message(body(name)).subarray(0, 9)), record(u16(0), 21)]),
    ],
    ['two server name extensions', hello(Buffer.concat([name, name]))],
    [
      'two names',
      hello(
        extension(
          0,
          v16(Buffer.concat([u8(0), v16(Buffer.from('a')), u8(0), v16(Buffer.from('b'))])),
        ),
      ),
    ],
    ['an empty name', hello(serverName(''))],
    ['an empty list of names', hello(extension(0, v16(Buffer.alloc(0))))],
    ['a name of another type', hello(serverName('a.example', 1))],
    ['a name with a path', hello(serverName('a.example/x'))],
    ['a name with a zero byte', hello(serverName('a.example\0.evil'))],
    ['a name with a final dot', hello(serverName('a.example.'))],
    ['a name with an underscore', hello(serverName('a_b.example'))],
    ['a name in UTF-8', hello(serverName('ü.example'))],
    ['a long name', hello(serverName(`${'a'.repeat(60)}.`.repeat(5)))],
    [
      'an extension that leads past the end',
      hello(Buffer.concat([u16(0), u16(99), Buffer.alloc(4)])),
    ],
    ['a name that leads past the end', hello(extension(0, Buffer.from([0, 5, 0, 0, 9, 97, 98])))],
    ['bytes behind the extensions', record(message(Buffer.concat([body(name), u8(0)])))],
    [
      'no cipher suites',
      record(
        message(
          Buffer.concat([Buffer.alloc(34), v8(Buffer.alloc(0)), v16(Buffer.alloc(0)), v8(u8(0))]),
        ),
      ),
    ],
    [
      'a long session id',
      record(
        message(Buffer.concat([Buffer.alloc(34), v8(Buffer.alloc(33)), v16(u16(1)), v8(u8(0))])),
      ),
    ],
    ['a body of nothing', record(message(Buffer.alloc(0)))],
  ])('is refused: %s', (_, bytes) => {
    for (const size of [bytes.length, 1]) {
      expect(() => feed(bytes, size)).toThrowError(
        expect.objectContaining({ code: 'ROUTER_HELLO_INVALID' }),
      );
    }
  });

  it('is refused at its first byte where that is wrong', () => {
    expect(() => parseClientHello(Buffer.from('G'))).toThrowError();
  });
});
