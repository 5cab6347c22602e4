// SPDX-License-Identifier: Apache-2.0
// The process that holds the native library, the PIN and the session, and nothing else. It speaks frames
// over file descriptor 3 and ends when that closes. It prints nothing: a vendor's library may.
import { Socket } from 'node:net';
import { toAeadData } from '@bailiwick/customer-keys';
import { Token, TokenError } from './token.ts';
import { parseTokenOptions } from './token-options.ts';
import { createFrameReader, encodeFrame, type Frame, OUTCOMES, VERBS, type Verb } from './wire.ts';

const PIPE = 3;
const text = (field: Buffer | undefined): string => (field ?? Buffer.alloc(0)).toString('utf8');
const part = (fields: readonly Buffer[], index: number): Buffer => fields[index] ?? Buffer.alloc(0);
const flag = (isSet: boolean): Buffer => Buffer.from([isSet ? 1 : 0]);

async function openToken(): Promise<Token> {
  const options = parseTokenOptions(process.argv[2] ?? '');
  try {
    return new Token(await import('pkcs11js').then((module) => module.default), options);
  } catch {
    throw new TokenError('not-loaded', 'pkcs11js');
  }
}

function answer(token: Token, verb: Verb, fields: readonly Buffer[]): readonly Buffer[] {
  const name = text(fields[0]);
  switch (verb) {
    case 'find':
      return token
        .find(name)
        .flatMap(({ id, canEncrypt, canDecrypt }) => [id, flag(canEncrypt), flag(canDecrypt)]);
    case 'list':
      return token.list().map((item) => Buffer.from(item, 'utf8'));
    case 'encrypt': {
      const data = part(fields, 2);
      const sealed = token.encrypt(name, part(fields, 1), (version) => toAeadData(data, version));
      return [sealed.version, sealed.iv, sealed.ciphertext, sealed.tag];
    }
    case 'decrypt': {
      const [, version, iv, ciphertext, tag, data] = fields;
      if (!version || !iv || !ciphertext || !tag || !data) throw new TokenError('failed');
      const sealed = { version, iv, ciphertext, tag };
      return [token.decrypt(name, sealed, toAeadData(data, version))];
    }
    case 'create':
      token.create(name);
      return [];
    case 'rotate':
      token.rotate(name);
      return [];
    case 'permit':
      token.permit(name, {
        encrypt: part(fields, 1)[0] === 1,
        decrypt: part(fields, 2)[0] === 1,
      });
      return [];
    case 'destroy':
      token.destroy(name);
      return [];
    case 'probe':
      token.probe();
      return [];
  }
}

function serve(token: Token, pipe: Socket): void {
  const reply = (id: number, word: (typeof OUTCOMES)[number], fields: readonly Buffer[]): void => {
    const bytes = encodeFrame({ id, word: OUTCOMES.indexOf(word), fields });
    pipe.write(bytes, () => bytes.fill(0));
  };
  const onFrame = ({ id, word, fields }: Frame): void => {
    const verb = VERBS[word];
    try {
      if (verb === undefined) throw new TokenError('failed');
      const answered = token.attempt(() => answer(token, verb, fields));
      reply(id, 'ok', answered);
      if (verb === 'decrypt') for (const field of answered) field.fill(0);
    } catch (error) {
      const known = error instanceof TokenError ? error : new TokenError('failed');
      reply(id, known.outcome, [Buffer.from(known.ckr, 'latin1')]);
    } finally {
      for (const field of fields) field.fill(0);
    }
  };
  const read = createFrameReader(onFrame);
  pipe.on('data', (chunk: Buffer) => {
    // What was asked together is answered together.
    pipe.cork();
    read(chunk);
    pipe.uncork();
  });
}

// Whoever started this process decides when it ends; a signal to the whole group is not for it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
const pipe = new Socket({ fd: PIPE, readable: true, writable: true });
pipe.on('error', () => process.exit(0));
pipe.on('close', () => process.exit(0));
try {
  serve(await openToken(), pipe);
} catch (error) {
  const ckr = error instanceof TokenError ? error.ckr : '';
  const word = OUTCOMES.indexOf('not-loaded');
  pipe.end(encodeFrame({ id: 0, word, fields: [Buffer.from(ckr, 'latin1')] }), () =>
    process.exit(1),
  );
}
