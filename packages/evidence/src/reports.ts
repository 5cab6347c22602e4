// SPDX-License-Identifier: Apache-2.0
// What a pack says about the law: the proof of the charter's properties, and the register of Article 30,
// both written from the charter's text, so that who verifies a pack writes them again and compares.
import {
  type CharterProof,
  type CharterReport,
  type CompiledCharter,
  compileCharter,
  parseCharter,
  proveCharter,
  toCharterReport,
} from '@bailiwick/charter';
import { EvidenceError } from './errors.ts';
import { sha256 } from './statement.ts';

/** A charter with its proof. */
export interface ProvenCharter {
  readonly charter: CompiledCharter;
  readonly proof: CharterProof;
}

/** Compiles and proves a charter's text. @throws {EvidenceError} `EVIDENCE_SOURCE_INVALID` */
export function proveText(text: string): ProvenCharter {
  try {
    const charter = compileCharter(parseCharter(text, { fileName: 'charter.yaml' }), { sha256 });
    return { charter, proof: proveCharter(charter) };
  } catch (cause) {
    throw new EvidenceError('EVIDENCE_SOURCE_INVALID', 'the charter does not compile', { cause });
  }
}

/** The proof as a pack has it. */
export function toProof({ charter, proof }: ProvenCharter): object {
  return {
    charter: { name: charter.name, hash: charter.hash, atlas: charter.atlasDate },
    holds: proof.holds,
    space: { flows: String(proof.spaceSize.flows), folded: String(proof.spaceSize.folded) },
    properties: proof.properties.map(({ id, because, holds, witness }) => ({
      id,
      because,
      holds,
      ...(witness === undefined ? {} : { allowed: witness.words, rules: witness.verdict.rules }),
    })),
  };
}

/** The register of processing activities (GDPR Art. 30(1)) as the law stands at an instant. */
export function toArticle30({ charter }: ProvenCharter, nowMs: number): string {
  const report: CharterReport = toCharterReport(charter, 'article-30-controller', { nowMs });
  const { title, source, columns, rows, notes } = report;
  const toCell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  const sections = rows.flatMap((row, index) => [
    '',
    `## ${index + 1}. ${toCell(row[0]?.join(', ') ?? '')}`,
    '',
    '| | |',
    '|---|---|',
    ...columns
      .slice(1)
      .map((column, at) => `| ${column} | ${toCell(row[at + 1]?.join(', ') || '—')} |`),
  ]);
  const words = `${source}. Written from the charter \`${charter.name}\` (${charter.hash}). It lists what the charter allows, and is no legal advice.`;
  return [`# ${title}`, '', words, '', ...notes.map((note) => `- ${note}`), ...sections, ''].join(
    '\n',
  );
}
