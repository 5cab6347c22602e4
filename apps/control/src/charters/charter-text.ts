// SPDX-License-Identifier: Apache-2.0
// What every change of the charter begins with: taking turns, and a text that compiles.
import {
  CharterError,
  type CompiledCharter,
  compileCharter,
  parseCharter,
} from '@bailiwick/charter';
import { sha256Hex } from '../approvals.ts';
import { ControlError } from '../errors.ts';
import type { Transaction } from '../services.ts';

/** Compiles a text, or says where it is wrong. @throws {ControlError} `CONTROL_CHARTER_INVALID` */
export function compileText(text: string): CompiledCharter {
  try {
    return compileCharter(parseCharter(text), { sha256: sha256Hex });
  } catch (cause) {
    if (!(cause instanceof CharterError)) throw cause;
    throw new ControlError('CONTROL_CHARTER_INVALID', 'see `errors`', {
      cause,
      places: cause.problems.slice(0, 20).map(({ pointer, line, column, message }) => ({
        pointer,
        detail: `line ${line}, column ${column}: ${message}`,
      })),
    });
  }
}

/** Writers of the charter take turns. */
export async function lockCharter(tx: Transaction): Promise<void> {
  await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('control.charters', 0))`);
}
