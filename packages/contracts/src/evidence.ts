// SPDX-License-Identifier: Apache-2.0
// What a cell gives to make an evidence pack from, beside the log: what it put on record about the pack, the
// text of the charter in force, and the receipts.
import { type TSchema, Type } from 'typebox';
import { UuidSchema } from './directory.ts';

export interface EvidenceAnswer {
  /** The statement's one text; its SHA-256 stands in the entry. */
  readonly statement: string;
  /** Id of the entry that puts the statement on record; a signed checkpoint covers it. */
  readonly entry: string;
  /** The charter in force, as YAML. */
  readonly charter: string;
  /** A line of JSON for each receipt. */
  readonly receipts: string;
}

const Text: TSchema = Type.String();

/** Schema of an `EvidenceAnswer`. */
export const EvidenceAnswerSchema: TSchema = Type.Object(
  { statement: Text, entry: UuidSchema, charter: Text, receipts: Text },
  { additionalProperties: false },
);
