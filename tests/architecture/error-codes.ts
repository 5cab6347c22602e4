// SPDX-License-Identifier: Apache-2.0
// Reads every error code that a source can say, and every code that the reference explains.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { codeOf, ROOT, readSources, type SourceFile } from './sources.ts';

const CODE = /'([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)'/g;
const KEYED = /^\s+([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+): (?:entry\(|[[{])/gm;

/** First words that codes begin with (STYLE §4: `<ROOM>_<NOUN>_<PROBLEM>`). */
export const ROOM_WORDS: readonly string[] = [
  ...[
    'ATLAS',
    'BACKUP',
    'BACKUPS',
    'CEDAR',
    'CELL',
    'CHARTER',
    'CLI',
    'COLLECTION',
    'CONTRACT',
    'CONTROL',
    'DELIVERY',
    'EVIDENCE',
  ],
  ...[
    'IDEMPOTENCY',
    'IMPORT',
    'KERNEL',
    'KEY',
    'KEYS',
    'LAW',
    'LEDGER',
    'OIDC',
    'OPA',
    'ORIGIN',
    'PEER',
  ],
  ...['PKI', 'POLICY', 'POSTGRES', 'RECORD', 'RESIDENCY', 'ROUTER', 'SDK', 'TRANSFER', 'WITNESS'],
  ...['ERASURE', 'HOLD', 'ORDER', 'REQUEST', 'RESTORE', 'RETENTION', 'STANDING'],
];

/** Words in capitals that are no codes, with what they are. */
const NO_CODES: Readonly<Record<string, string>> = {
  ROUTER_ANSWERED: 'the answer is sent already: thrown and caught inside the router',
};

/** Comments out, strings kept: codes are strings. */
const withoutComments = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:])\/\/.*$/gm, '$1');

function codesIn(file: SourceFile): readonly string[] {
  const text = withoutComments(file.text);
  return [...text.matchAll(CODE), ...text.matchAll(KEYED)]
    .map((match) => match[1] ?? '')
    .filter((code) => ROOM_WORDS.includes(code.split('_')[0] ?? ''))
    .filter((code) => !(code in NO_CODES));
}

const isForTests = ({ isTest, path: file }: SourceFile): boolean =>
  isTest || file.includes('/testing/') || file.startsWith('packages/testkit/');

/** Each code with the files that say it. */
export function readCodes(): ReadonlyMap<string, readonly string[]> {
  const codes = new Map<string, string[]>();
  for (const file of readSources()) {
    if (isForTests(file)) continue;
    for (const code of codesIn(file)) {
      const files = codes.get(code) ?? [];
      codes.set(code, files.includes(file.path) ? files : [...files, file.path]);
    }
  }
  return codes;
}

/** Codes that stand in a room's closed union, by file. */
export function readUnions(): ReadonlyMap<string, readonly string[]> {
  const unions = new Map<string, readonly string[]>();
  for (const file of readSources()) {
    const isUnion = /type \w*Code\b/.test(codeOf(file.text)) && file.path.endsWith('/errors.ts');
    if (isUnion && !isForTests(file)) unions.set(file.path, codesIn(file));
  }
  return unions;
}

export interface Explained {
  readonly code: string;
  readonly meaning: string;
  readonly remedy: string;
  readonly page: string;
}

/** Rows of the reference: the cell's answers, and everything else that our programs can say. */
export function readReference(): readonly Explained[] {
  return ['docs/reference/errors.md', 'docs/reference/error-codes.md'].flatMap((page) =>
    readFileSync(path.join(ROOT, page), 'utf8')
      .split('\n')
      .flatMap((line) => {
        const cells = line.split('|').map((cell) => cell.trim());
        const code = /^`([A-Z0-9_]+)`$/.exec(cells[1] ?? '')?.[1];
        if (code === undefined) return [];
        const [meaning = '', remedy = ''] = cells.slice(-3, -1);
        return [{ code, meaning, remedy, page }];
      }),
  );
}
