// SPDX-License-Identifier: Apache-2.0
// For this room's tests: a whole pack over a log in memory, with denials, key events, an erasure and their
// receipts. Everything follows from its options.
import { createHash, createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { compileCharter, parseCharter } from '@bailiwick/charter';
import { signStatement } from '@bailiwick/keys';
import {
  commitEntry,
  createLogSigner,
  EMPTY_EDGE,
  EMPTY_ROOT,
  type EntryBody,
  type ExportedBody,
  extendLog,
  type LogHead,
  toBodyLine,
  toCanonicalBody,
  toServedTile,
  toVerifierKeyText,
  type VerifierKey,
  writeExport,
} from '@bailiwick/ledger';
import { writeArchive } from './archive.ts';
import { makePack, type PackSources } from './pack.ts';
import { digestStatements, type Receipt, toReceiptsText } from './receipts.ts';
import { EVIDENCE_FORMAT, EVIDENCE_OBSERVED, sha256, toStatementText } from './statement.ts';

const CHARTERS = path.resolve(import.meta.dirname, '../../../charters');
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
export const ORIGIN = 'eu-de/main/ledger/1';
export const TENANT = '0198c0de-0000-7000-8000-00000000000a';
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** The Ed25519 key of a seed. */
export function aKey(seed: string): KeyObject {
  const der = Buffer.concat([PKCS8_PREFIX, digest(seed)]);
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
}

/** Text of a charter that ships, by name. */
export function aCharter(name: string): string {
  return readFileSync(path.join(CHARTERS, `${name}.yaml`), 'utf8');
}

/** A charter that is proved in no time: the verifier proves it anew for each flip. */
export const SMALL_CHARTER: string = `charter: 1
name: small
atlas: 2026-11-20
cells:
  eu-de/main: { location: de, operator: de, territory: eea }
homes:
  eea: { cell: eu-de/main, regimes: [gdpr], because: at home, source: a contract }
categories: { contact: addresses }
purposes:
  care: { means: care, basis: [contract] }
roles: { clerk: { means: clerk } }
employers: { controller: us }
rules:
  - allow: at-home
    to: { location: eea }
    because: at home
    source: a contract
properties:
  - property: never-out
    never: { to: { location: us } }
    because: at home
`;

const toId = (index: number): string =>
  `0198c0de-0000-7000-8000-${String(index).padStart(12, '0')}`;
const toAt = (index: number): string => new Date(1_795_000_000_000 + index * 10).toISOString();

const STATEMENTS = ['a', 'b'].map((replica) =>
  signStatement(aKey(`replica ${replica}`), {
    kind: 'object-destroyed',
    at: toAt(0),
    object: 'x',
    replica,
  }),
);

function toKind(index: number): Partial<EntryBody> {
  switch (index % 50) {
    case 3:
      return {
        kind: 'key',
        facts: { step: 'asked', key: 'k', to: 'disabled', change: `c${index}` },
      };
    case 4:
      return {
        kind: 'key',
        facts: {
          ...{ step: 'effective', key: 'k', to: 'disabled', change: `c${index - 1}` },
          ...{ acceptedAt: toAt(index), effectiveAt: toAt(index + 7) },
        },
      };
    case 7:
      return { kind: 'erasure', facts: { step: 'asked', erasure: `e${index}` } };
    case 8:
      return {
        kind: 'erasure',
        facts: {
          ...{ step: 'done', erasure: `e${index - 1}`, recordsCount: 2 },
          ...{ receiptCount: 2, receiptHash: digestStatements(STATEMENTS) },
        },
      };
    case 9:
      return { kind: 'refusal', facts: { code: 'CELL_ROLE_FORBIDDEN' } };
    case 10:
      return { kind: 'transfer', facts: { step: 'completed', transfer: `t${index}`, groups: 3 } };
    default:
      return { kind: index % 3 === 0 ? 'decision' : 'read' };
  }
}

function aBody(index: number, charterHash: string): EntryBody {
  return {
    v: 1,
    id: toId(index) as never,
    at: toAt(index),
    cell: 'eu-de/main' as never,
    tenant: TENANT as never,
    kind: 'read',
    actor: {
      account: toId(1),
      kind: 'person',
      role: 'analyst',
      employer: 'controller',
      assurance: 'high',
      place: 'de',
    },
    flow: {
      action: index % 2 === 0 ? 'read' : 'export',
      at: toAt(index),
      conditions: [],
      consent: 'absent',
      data: {
        categories: ['contact'],
        class: 'restricted',
        origin: 'de',
        regimes: ['gdpr'],
        residency: 'eu-de',
      },
      form: 'plain',
      purpose: 'analytics',
      to: { kind: 'reader', location: index % 9 === 0 ? 'us' : 'de', operator: 'de' },
    },
    decision: {
      outcome: index % 9 === 0 ? 'deny' : 'allow',
      rules: index % 9 === 0 ? ['no-profiles-to-america'] : ['support-at-home'],
      obligations: [],
      charter: charterHash,
      serial: 1,
    },
    subject: digest(`subject ${index % 40}`)
      .toString('hex')
      .slice(0, 32),
    ...toKind(index),
  };
}

export interface APack {
  readonly sources: PackSources;
  readonly bytes: Buffer;
  readonly key: VerifierKey;
  readonly privateKey: KeyObject;
}

export interface APackOptions {
  readonly entriesCount?: number;
  readonly charter?: string;
  /** Entries that come between the statement and its checkpoint. */
  readonly laterCount?: number;
  /** What is told in the place of the right values. */
  readonly forge?: Parameters<typeof forged>[1];
}

function forged(
  statement: Parameters<typeof toStatementText>[0],
  changes: Partial<Parameters<typeof toStatementText>[0]> = {},
): Parameters<typeof toStatementText>[0] {
  return { ...statement, ...changes };
}

/** The sources of a pack. */
export async function someSources(options: APackOptions = {}): Promise<Omit<APack, 'bytes'>> {
  const { entriesCount = 300, laterCount = 3, charter = SMALL_CHARTER } = options;
  const privateKey = aKey('ledger');
  const signer = createLogSigner({ origin: ORIGIN, privateKey });
  const compiled = compileCharter(parseCharter(charter), { sha256 });
  const placed: ExportedBody[] = [];
  const put = (body: EntryBody): void => {
    const index = placed.length;
    placed.push({ index, salt: digest(`salt ${index}`), body: toCanonicalBody(body) });
  };
  for (let index = 0; index < entriesCount; index += 1) put(aBody(index, compiled.hash));
  const receipts = toReceiptsText(listReceipts(entriesCount));
  const lines = placed.map(toBodyLine).join('');
  const statement = toStatementText(
    forged(
      {
        format: EVIDENCE_FORMAT,
        tenant: TENANT,
        cell: 'eu-de/main',
        origin: ORIGIN,
        size: entriesCount,
        bodies: { count: entriesCount, sha256: sha256(lines) },
        charter: { hash: compiled.hash, serial: 1, sha256: sha256(charter) },
        receipts: { count: listReceipts(entriesCount).length, sha256: sha256(receipts) },
        place: { location: 'de', operator: 'de' },
      },
      options.forge,
    ),
  );
  const facts = { observed: EVIDENCE_OBSERVED, statement: sha256(statement) };
  const { v, id, at, cell, tenant } = aBody(placed.length, compiled.hash);
  put({ v, id, at, cell, tenant: tenant as never, kind: 'observation', facts });
  for (let later = 0; later < laterCount; later += 1) put(aBody(placed.length, compiled.hash));
  const ledger = await toExport(placed, signer);
  const key = `${toVerifierKeyText(signer.verifierKey)}\n`;
  const sources = { statement, charter, receipts, key, ledger };
  return { sources, key: signer.verifierKey, privateKey };
}

function listReceipts(entriesCount: number): readonly Receipt[] {
  const receipts: Receipt[] = [];
  for (let index = 8; index < entriesCount; index += 50) {
    receipts.push({ entry: toId(index), statements: STATEMENTS });
  }
  return receipts;
}

async function toExport(
  placed: readonly ExportedBody[],
  signer: ReturnType<typeof createLogSigner>,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const commitments = Buffer.concat(placed.map(({ salt, body }) => commitEntry(salt, body)));
  const empty: LogHead = { epoch: 1, size: 0, root: EMPTY_ROOT };
  const { head, tiles } = extendLog(empty, EMPTY_EDGE, commitments);
  const files = new Map<string, Uint8Array>();
  const parts = writeExport({
    checkpoint: signer.signCheckpoint(head),
    tenant: TENANT,
    readTile: async (address) => {
      const found = tiles.find(
        ({ level, index }) => level === address.level && index === address.index,
      );
      return found && toServedTile(address, found.bytes.subarray(0, address.width * 32));
    },
    bodies: (async function* () {
      yield* placed;
    })(),
  });
  for await (const { path: name, bytes } of parts) {
    files.set(name, Buffer.concat([files.get(name) ?? Buffer.alloc(0), bytes]));
  }
  return files;
}

/** A whole pack. */
export async function aPack(options: APackOptions = {}): Promise<APack> {
  const made = await someSources(options);
  const { files } = makePack(made.sources);
  return { ...made, bytes: Buffer.concat([...writeArchive(files)]) };
}
