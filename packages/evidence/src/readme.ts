// SPDX-License-Identifier: Apache-2.0
// The first page of a pack, for somebody who has never heard of us.
import type { Figures } from './figures.ts';
import type { EvidenceStatement } from './statement.ts';

/** What a pack proves to who checks it, in plain words. */
export const PROVEN = [
  'the entries of this pack are in the log, in this order, under the signed root of the checkpoint',
  'body and salt of each entry are what its leaf commits to',
  'the cell put on record, in the same log, how many entries of the tenant there are, their hash, the charter in force and the receipts',
  'figures, registers, OSCAL results and this page are what the entries give; they were counted again',
  'the charter’s properties, and the register of Article 30, follow from the text of the charter that is in the pack',
  'each receipt is the one that the entry of its action commits to, signed by the key that it names',
] as const;

/** What is only said, and by whom. */
export const STATED = [
  'that everything that happened was entered: a log cannot prove what was never written',
  'that the tenant has no other entries below the stated size: the cell says so, on record',
  'that the cell stands where it says, and that its operator is who it says',
  'that nobody copied the erasable store before a person was erased',
  'whose keys signed the receipts: each names its own key',
] as const;

/** The page. */
export function toReadme(source: {
  readonly statement: EvidenceStatement;
  readonly at: string;
  readonly size: number;
  readonly root: string;
  readonly figures: Figures;
  readonly holds: boolean;
}): string {
  const { statement, at, size, root, figures, holds } = source;
  const { cell, tenant, origin, place, charter, receipts } = statement;
  const list = (lines: readonly string[]): string => lines.map((line) => `- ${line}`).join('\n');
  return `# Evidence of cell ${cell}

For tenant \`${tenant}\`, as on record at ${at}. Nothing in here names a person: persons are keyed pseudonyms.

| | |
|---|---|
| log | \`${origin}\`, ${size} entries, root \`${root}\` |
| entries of the tenant | ${figures.entries.count}, from ${figures.entries.first} to ${figures.entries.last} |
| decisions | ${figures.decisions.allowed} allowed, ${figures.decisions.denied} denied |
| charter | \`${charter.hash}\` (serial ${charter.serial}); its declared properties ${holds ? 'hold for every flow' : 'do NOT all hold'} |
| receipts | ${receipts.count} |
| the cell says it stands in | ${place.location}, run by an operator under the law of ${place.operator} |

## How to check it

\`\`\`
bailiwick evidence verify pack.zip --key log.vkey --policy policy
\`\`\`

needs no network. \`--key\` is the log’s verifier key and \`--policy\` says which witnesses count (C2SP
tlog-policy): get both from somebody other than who gave you this pack. Without them the pack is held
against the key that it brings along, which shows damage and not a forger. Exit code 0: everything holds;
4: something does not, and it says what.

Other tools: \`ledger/\` is a log as C2SP lays it out (tlog-tiles, tlog-checkpoint, signed-note) under an RFC 6962
tree; \`ledger/bodies.jsonl\` has a line for each entry: its leaf’s data is
SHA-256(\`bailiwick/leaf/v1\` ‖ 0 ‖ salt ‖ body).

## What that proves

${list(PROVEN)}

With a policy: that nobody was shown another log, and that each entry was made between the cosigned times around
it, to a minute.

## What is only stated

${list(STATED)}

Not measured: ${figures.notMeasured.join('; ')}.

## What is in here

| file | what |
|---|---|
| \`statement.json\` | what the cell put on record about this pack |
| \`ledger/\` | checkpoint with cosignatures, tiles, and the tenant’s entries with their salts |
| \`charter/charter.yaml\`, \`charter/proof.json\` | the law in force, and the proof of its properties |
| \`charter/article-30.md\` | register of processing activities (GDPR Art. 30) |
| \`registers/*.csv\` | decisions, transfers, key events, erasures, violations day by day |
| \`receipts.jsonl\` | what processes and replicas signed |
| \`figures.json\`, \`oscal/assessment-results.json\` | figures; OSCAL ${'1.0.6'} assessment results |
| \`pack.json\` | every file with its size and SHA-256 |
`;
}
