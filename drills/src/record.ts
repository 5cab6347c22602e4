// SPDX-License-Identifier: Apache-2.0
// What a drill did, what it saw, and whether each thing held: told as it happens, signed at its end. A drill
// that saw something else than it should goes on where it can, and fails.
import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  type DsseEnvelope,
  parsePinnedKey,
  signDsse,
  toDsseSigner,
  toPublicKeyText,
  verifyDsse,
} from '@bailiwick/keys';

/** DSSE payload type of a drill's record. */
export const DRILL_PAYLOAD_TYPE = 'application/vnd.bailiwick.drill.v1+json';

/** One thing that a drill did or saw. */
export interface DrillStep {
  readonly at: string;
  readonly kind: 'did' | 'saw';
  readonly text: string;
  /** Whether what was seen is what should be; absent for what was done. */
  readonly holds?: boolean;
}

/** The signed statement about a drill. */
export interface DrillRecord {
  readonly v: 1;
  readonly drill: string;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly holds: boolean;
  readonly steps: readonly DrillStep[];
  readonly figures: Readonly<Record<string, number>>;
}

/** Where a drill says what it does. */
export interface Recorder {
  did(text: string): void;
  saw(text: string, holds: boolean): void;
  figure(name: string, value: number): void;
  end(): DrillRecord;
}

/** Begins a drill's record. */
export function createRecorder(drill: string, write: (line: string) => void): Recorder {
  const startedAt = new Date().toISOString();
  const steps: DrillStep[] = [];
  const figures: Record<string, number> = {};
  return {
    did(text) {
      steps.push({ at: new Date().toISOString(), kind: 'did', text });
      write(`   ${text}`);
    },
    saw(text, holds) {
      steps.push({ at: new Date().toISOString(), kind: 'saw', text, holds });
      write(`   ${holds ? 'ok    ' : 'NOT SO'} ${text}`);
    },
    figure(name, value) {
      figures[name] = value;
      write(`          ${name}: ${value}`);
    },
    end: () => ({
      v: 1,
      drill,
      startedAt,
      endedAt: new Date().toISOString(),
      // A drill that looked at nothing has shown nothing.
      holds:
        steps.some(({ kind }) => kind === 'saw') && steps.every(({ holds }) => holds !== false),
      steps,
      figures,
    }),
  };
}

/** The key that signs drills in this folder; made at the first one. */
export function ensureDrillKey(folder: string): KeyObject {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = path.join(folder, 'drill-key.pem');
  if (!existsSync(file)) {
    const { privateKey } = generateKeyPairSync('ed25519');
    writeFileSync(file, String(privateKey.export({ type: 'pkcs8', format: 'pem' })), {
      mode: 0o600,
    });
    writeFileSync(path.join(folder, 'drill-key.pub'), `${toPublicKeyText(privateKey)}\n`);
  }
  return createPrivateKey(readFileSync(file, 'utf8'));
}

/** Signs a record and writes it; gives the file. */
export function writeEvidence(folder: string, record: DrillRecord): string {
  const key = ensureDrillKey(folder);
  const payload = Buffer.from(JSON.stringify(record), 'utf8');
  const envelope = signDsse({ payloadType: DRILL_PAYLOAD_TYPE, payload }, [toDsseSigner(key)]);
  const digest = createHash('sha256').update(payload).digest('hex').slice(0, 12);
  const file = path.join(folder, `${record.drill}-${digest}.dsse.json`);
  writeFileSync(file, `${JSON.stringify(envelope)}\n`, { flag: 'wx', mode: 0o644 });
  return file;
}

/** Reads evidence by the public key that belongs to it. @throws {DsseError} when anything was changed */
export function readEvidence(text: string, publicKey: string): DrillRecord {
  const envelope = JSON.parse(text) as DsseEnvelope;
  const { payload } = verifyDsse(envelope, {
    payloadType: DRILL_PAYLOAD_TYPE,
    keys: [parsePinnedKey(publicKey.trim())],
  });
  return JSON.parse(payload.toString('utf8')) as DrillRecord;
}
