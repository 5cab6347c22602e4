// SPDX-License-Identifier: Apache-2.0
// A charter on its way to the control plane: one text, whole, and how it differs from what is law now.
import { hash } from 'node:crypto';
import path from 'node:path';
import {
  type CharterDifference,
  type CompiledCharter,
  compileCharter,
  diffCharters,
  isWider,
  parseCharter,
} from '@bailiwick/charter';
import type { CharterAnswer } from '@bailiwick/contracts';
import { isCoded } from '@bailiwick/kernel';
import { stringify } from 'yaml';
import { readText } from '../connect.ts';
import { CliError } from '../errors.ts';
import { getCharter, type Operator } from '../operator.ts';
import { load } from './charter.ts';
import type { Input } from './run.ts';

/** A charter as it travels. */
export interface CharterToSend {
  readonly text: string;
  readonly textHash: string;
  readonly charter: CompiledCharter;
}

/** SHA-256 of a text's UTF-8, lower-case hex. */
export const sha256 = (text: string): string => hash('sha256', text, 'hex');

/** Compiles a text that is known to be whole. */
export function compileWhole(text: string): CompiledCharter {
  return compileCharter(parseCharter(text), { sha256 });
}

/**
 * Reads a charter file as one text: as it stands, or, where it includes others or has variables, written out
 * whole. Either way the text means what was read here.
 *
 * @throws {CliError} `CLI_INPUT_REFUSED` with the first problem and its line
 */
export function readCharterToSend(file: string, options: Input['options']): CharterToSend {
  const charter = load(file, options);
  const own = readText(file, 'the charter');
  const isWhole = !/^["']?(?:include|variables)\b/m.test(own);
  const text = isWhole
    ? own
    : `# Written out from ${path.basename(file)}, with what it includes and what its variables stand for.\n${stringify(charter.document)}`;
  if (compileWhole(text).hash !== charter.hash) {
    throw new CliError(
      'CLI_INPUT_REFUSED',
      'written out whole, the charter would mean something else',
    );
  }
  return { text, textHash: sha256(text), charter };
}

/** What is law, what it would become, and what that changes. */
export interface Comparison {
  readonly current: CharterAnswer & { readonly nextSerial: number };
  /** Absent before the first charter, and where the two are too large to compare. */
  readonly difference?: CharterDifference;
  readonly isWider: boolean;
}

/** Compares a charter with the one in force. */
export async function compareWithLaw(
  operator: Operator,
  next: Pick<CharterToSend, 'charter'>,
): Promise<Comparison> {
  const answer = await getCharter(operator);
  const current = { ...answer, nextSerial: answer.nextSerial ?? answer.serial + 1 };
  if (current.serial === 0) return { current, isWider: true };
  try {
    const difference = diffCharters(compileWhole(current.text), next.charter);
    const isLonger = next.charter.freshForMs > compileWhole(current.text).freshForMs;
    return { current, difference, isWider: isLonger || isWider(difference) };
  } catch (error) {
    if (!isCoded(error, 'CHARTER_SPACE_TOO_LARGE')) throw error;
    // What cannot be compared counts as wider: cells see it the same way.
    return { current, isWider: true };
  }
}

/** Two or three lines about a comparison. */
export function toSummary({ current, difference, isWider: wider }: Comparison): string {
  if (current.serial === 0) return 'the first charter: needs approvals';
  if (difference === undefined) return 'too large to compare: needs approvals';
  const { widenings, narrowings, homesChanged, loosened, tightened } = difference;
  const counts = [
    [widenings.length, 'wider'],
    [loosened.length, 'asks less'],
    [homesChanged.length, 'lives elsewhere'],
    [narrowings.length, 'narrower'],
    [tightened.length, 'asks more'],
  ] as const;
  const told = counts.flatMap(([count, what]) => (count === 0 ? [] : [`${count} ${what}`]));
  const verdict = wider ? 'needs approvals' : 'needs no approvals';
  return `against serial ${current.serial}: ${told.length === 0 ? 'no flow differs' : told.join(', ')}; ${verdict}`;
}

/** Envelopes out of files that `charter approve` wrote. */
export function readApprovals(files: unknown): readonly unknown[] {
  if (!Array.isArray(files)) return [];
  return files.map((file): unknown => {
    try {
      return JSON.parse(readText(String(file), 'an approval'));
    } catch (error) {
      if (error instanceof CliError) throw error;
      throw new CliError('CLI_INPUT_REFUSED', `\`${String(file)}\` holds no approval`);
    }
  });
}
