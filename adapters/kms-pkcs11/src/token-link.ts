// SPDX-License-Identifier: Apache-2.0
// Starts the token process, talks to it, and ends it when it hangs. A question is answered, fails, or is
// given up at its deadline; a process that answers nobody for as long as a question may take is killed
// and the next question starts another.
import { type ChildProcess, spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import {
  disabledKey,
  type UnavailableReason,
  unavailable,
  unknownKey,
  unreadableKey,
} from '@bailiwick/customer-keys';
import { assertNever } from '@bailiwick/kernel';
import { KeysError } from '@bailiwick/keys';
import type { TokenOptions } from './token-options.ts';
import { createFrameReader, encodeFrame, type Frame, OUTCOMES, VERBS, type Verb } from './wire.ts';

export interface LinkOptions extends TokenOptions {
  /** Environment of the process, for libraries that are configured by it. Nothing else is passed on. */
  readonly environment?: Readonly<Record<string, string>>;
  /** A process that has answered nothing for this long, with questions open, is killed. */
  readonly hangMs: number;
}

interface Pending {
  readonly resolve: (fields: readonly Buffer[]) => void;
  readonly reject: (error: KeysError) => void;
}

const RESTART_PAUSE_MS_MIN = 100;
const RESTART_PAUSE_MS_MAX = 5000;
const PROGRAM = fileURLToPath(new URL('./token-process.ts', import.meta.url));

/** A question to the token. */
export interface TokenQuestion {
  readonly verb: Verb;
  readonly fields: readonly Buffer[];
  readonly signal: AbortSignal;
}

function misconfigured(problem: string, ckr: string): KeysError {
  return new KeysError('KEYS_PROVIDER_MISCONFIGURED', problem, { details: { ckr } });
}

function toFailure(outcome: (typeof OUTCOMES)[number], ckr: string): KeysError {
  switch (outcome) {
    case 'unknown':
      return unknownKey();
    case 'disabled':
      return disabledKey();
    case 'unreadable':
      return unreadableKey();
    case 'lost':
      return unavailable('unreachable', { cause: new Error(ckr) });
    case 'pin-refused':
      return misconfigured(
        'token refused the PIN; it is not tried again until its file changes',
        ckr,
      );
    case 'not-loaded':
      return misconfigured(
        ckr === 'pkcs11js'
          ? 'native module `pkcs11js` is not built: a C++ compiler is needed at set-up'
          : 'PKCS#11 library cannot be loaded',
        ckr,
      );
    case 'ok':
    case 'failed':
      return unavailable('failed', { cause: new Error(ckr) });
    default:
      return assertNever(outcome);
  }
}

/** One token process at a time, and the questions to it. */
export class TokenLink {
  readonly #options: LinkOptions;
  readonly #pending = new Map<number, Pending>();
  #child: ChildProcess | undefined;
  #pipe: Duplex | undefined;
  #nextId = 1;
  #lastAnswerAtMs = 0;
  #mayStartAtMs = 0;
  #restartPauseMs = RESTART_PAUSE_MS_MIN;
  #isClosed = false;
  /** What the PIN file was when its PIN was refused. SECURITY: more tries would lock the token. */
  #refusedPin: string | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** Of the token process, while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  #pinStamp(): string {
    try {
      const { mtimeMs, size, ino, mode } = statSync(this.#options.pinFile);
      if ((mode & 0o077) !== 0) throw misconfigured('file of the PIN must be 0600', '');
      return `${ino}:${size}:${mtimeMs}`;
    } catch (error) {
      if (error instanceof KeysError) throw error;
      throw misconfigured('file of the PIN cannot be read', '');
    }
  }

  #start(): Duplex {
    // SECURITY: a PIN that others may read is nobody's PIN.
    this.#pinStamp();
    const nowMs = performance.now();
    if (nowMs < this.#mayStartAtMs) {
      throw unavailable('unreachable', { retryAfterMs: Math.ceil(this.#mayStartAtMs - nowMs) });
    }
    this.#mayStartAtMs = nowMs + this.#restartPauseMs;
    this.#restartPauseMs = Math.min(this.#restartPauseMs * 2, RESTART_PAUSE_MS_MAX);
    const { library, tokenLabel, pinFile, environment = {} } = this.#options;
    const told = JSON.stringify({ library, tokenLabel, pinFile } satisfies TokenOptions);
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', PROGRAM, told],
      // The working directory is one that is always there; output of a vendor's library goes nowhere.
      { cwd: '/', env: { ...environment }, stdio: ['ignore', 'ignore', 'ignore', 'pipe'] },
    );
    const pipe = child.stdio[3];
    if (pipe === null || pipe === undefined || !('write' in pipe) || !('read' in pipe)) {
      child.kill('SIGKILL');
      throw unavailable('failed');
    }
    const duplex = pipe as Duplex;
    this.#child = child;
    this.#pipe = duplex;
    const onEnd = (): void => this.#end(child);
    child.on('error', onEnd);
    child.on('exit', onEnd);
    duplex.on('error', onEnd);
    duplex.on('close', onEnd);
    const read = createFrameReader((frame) => this.#onFrame(frame));
    duplex.on('data', (chunk: Buffer) => {
      try {
        read(chunk);
      } catch {
        this.#end(child);
      }
    });
    // A cell that has nothing else to do may end: the token process ends with its pipe.
    child.unref();
    if ('unref' in duplex && typeof duplex.unref === 'function') duplex.unref();
    return duplex;
  }

  #onFrame({ id, word, fields }: Frame): void {
    this.#lastAnswerAtMs = performance.now();
    const outcome = OUTCOMES[word] ?? 'failed';
    if (outcome === 'ok') this.#restartPauseMs = RESTART_PAUSE_MS_MIN;
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (outcome === 'ok') {
      if (pending === undefined) for (const field of fields) field.fill(0);
      else pending.resolve(fields);
      return;
    }
    const failure = toFailure(outcome, (fields[0] ?? Buffer.alloc(0)).toString('latin1'));
    if (outcome === 'pin-refused') {
      this.#refusedPin = this.#pinStamp();
      this.#fail(failure);
    }
    // Said once for all: the process could not even begin.
    if (id === 0) this.#fail(failure);
    pending?.reject(failure);
  }

  #fail(error: KeysError): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(error);
  }

  #end(child: ChildProcess, reason: UnavailableReason = 'unreachable'): void {
    child.kill('SIGKILL');
    if (child !== this.#child) return;
    this.#child = undefined;
    this.#pipe?.destroy();
    this.#pipe = undefined;
    this.#fail(unavailable(reason));
  }

  /** @throws {KeysError} with the codes of `CustomerKeyProvider`, or `KEYS_PROVIDER_MISCONFIGURED` */
  async ask({ verb, fields, signal }: TokenQuestion): Promise<readonly Buffer[]> {
    if (this.#isClosed) throw unavailable('unreachable');
    if (this.#refusedPin !== undefined) {
      if (this.#refusedPin === this.#pinStamp()) throw toFailure('pin-refused', '');
      this.#refusedPin = undefined;
    }
    const pipe = this.#pipe ?? this.#start();
    const id = this.#nextId;
    this.#nextId = (this.#nextId % 0xffff_fffe) + 1;
    if (this.#pending.size === 0) this.#lastAnswerAtMs = performance.now();
    const bytes = encodeFrame({ id, word: VERBS.indexOf(verb), fields });
    let onAbort: (() => void) | undefined;
    try {
      return await new Promise<readonly Buffer[]>((resolve, reject) => {
        this.#pending.set(id, { resolve, reject });
        onAbort = () => {
          this.#pending.delete(id);
          reject(unavailable('timeout'));
          this.#endIfHanging();
        };
        signal.addEventListener('abort', onAbort, { once: true });
        this.#write(pipe, bytes);
      });
    } finally {
      if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
    }
  }

  /** What is asked in one turn of the loop is one write. */
  #write(pipe: Duplex, bytes: Buffer): void {
    if (pipe.writableCorked === 0) {
      pipe.cork();
      setImmediate(() => pipe.uncork());
    }
    pipe.write(bytes, () => bytes.fill(0));
  }

  #endIfHanging(): void {
    const silentMs = performance.now() - this.#lastAnswerAtMs;
    // A tenth less: the deadline's timer and this clock do not agree to the millisecond.
    if (this.#child === undefined || silentMs < this.#options.hangMs * 0.9) return;
    this.#end(this.#child, 'timeout');
  }

  /** Ends the process; what is under way fails. */
  close(): void {
    this.#isClosed = true;
    if (this.#child !== undefined) this.#end(this.#child);
  }
}
