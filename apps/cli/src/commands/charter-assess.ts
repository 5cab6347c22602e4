// SPDX-License-Identifier: Apache-2.0
// What a charter means for what is stored: asked of running cells, which count inside and tell counts, and
// written down as a draft of what would heal it.
import { writeFileSync } from 'node:fs';
import type { AssessedViolation, AssessmentAnswer } from '@bailiwick/contracts';
import { unwrap } from '@bailiwick/sdk';
import { stringify } from 'yaml';
import type { ClientConfig, ConfiguredCell } from '../config.ts';
import { CliError } from '../errors.ts';
import type { Operator } from '../operator.ts';
import type { Paint } from '../output.ts';
import { toList } from './input.ts';

const ASSESS_MS_MAX = 60_000;

/** The cells of a list such as `eu-de,us-va`, or `all`. @throws {CliError} `CLI_USAGE_WRONG` */
export function pickCells(config: ClientConfig, text: string): readonly ConfiguredCell[] {
  if (text === 'all') return Object.values(config.cells);
  return toList(text).map((name) => {
    const cell = Object.values(config.cells).find(
      (one) => one.cell === name || one.cell === `${name}/main`,
    );
    if (cell !== undefined) return cell;
    throw new CliError('CLI_USAGE_WRONG', `the configuration names no cell \`${name}\``, {
      hint: `one of ${Object.values(config.cells)
        .map((one) => one.cell)
        .join(', ')}, or all`,
    });
  });
}

/** Asks cells what a charter would mean for what lies in them. */
export async function assessCells(
  operator: Operator,
  cells: readonly ConfiguredCell[],
  charters: { readonly text: string; readonly against?: string },
): Promise<readonly AssessmentAnswer[]> {
  return await Promise.all(
    cells.map(async (cell) =>
      unwrap(
        await operator.cell(cell).call<AssessmentAnswer>({
          method: 'POST',
          path: '/internal/v1/charter-assessments',
          body: charters,
          deadlineMs: ASSESS_MS_MAX,
          isRead: true,
        }),
      ),
    ),
  );
}

function toRemedyWords({ kind, to, regimes }: AssessedViolation['remedy']): string {
  if (kind === 'move') return `move to ${to}`;
  return kind === 'relabel'
    ? `relabel under ${regimes?.join(', ')}`
    : 'erase, or change the charter';
}

/** Cells, one after the other: what may not stay, what stops, and who is touched. */
export function toAssessmentLines(
  answers: readonly AssessmentAnswer[],
  paint: Paint,
): readonly string[] {
  return answers.flatMap((answer) => {
    const { cell, records, violations, flows, transfers, termsUnfit } = answer;
    const lines = [
      ...violations.map(
        ({ records: count, class: dataClass, kind, rules, because, isNew, remedy }) =>
          `  ${count} records, ${dataClass}: ${kind} [${rules.join(', ')}]: ${because}; ${toRemedyWords(remedy)}${isNew ? '' : ' (so before)'}`,
      ),
      ...flows.map(
        ({ words, records: count, tenants, before }) =>
          `  ${count} records of ${tenants.length} tenants: ${words} [${before.join(', ')}]`,
      ),
      ...transfers.map(
        ({ tenantId, count }) => `  tenant ${tenantId}: ${count} transfers under way stop`,
      ),
      ...termsUnfit.map((tenantId) => `  tenant ${tenantId}: its contract terms do not fit`),
    ];
    const head = `${cell} (${records} records looked at)`;
    return [paint('bold', head), ...(lines.length === 0 ? ['  nothing is touched'] : lines)];
  });
}

/** Writes the draft: reviewable, and doing nothing by itself. @throws {CliError} `CLI_FILE_UNREADABLE` */
export function writeHealingDraft(
  file: string,
  answers: readonly AssessmentAnswer[],
  charter: { readonly before: string; readonly after: string },
): void {
  const steps = answers.flatMap(({ cell, violations }) =>
    violations.map(({ remedy, records, rules, because, class: dataClass }) => ({
      cell,
      [remedy.kind]: {
        class: dataClass,
        origins: remedy.origins,
        ...(remedy.to === undefined ? {} : { to: remedy.to }),
        ...(remedy.regimes === undefined ? {} : { regimes: remedy.regimes }),
      },
      records,
      rules,
      because,
    })),
  );
  const head = [
    '# A draft of what would heal the records that the new charter puts in violation.',
    '# Nothing here has happened. Each step is a flow of its own and is decided when somebody asks for it.',
    '',
  ].join('\n');
  try {
    writeFileSync(file, head + stringify({ healing: 1, ...charter, steps }), { flag: 'wx' });
  } catch (cause) {
    throw new CliError('CLI_FILE_UNREADABLE', `\`${file}\` cannot be written, or exists`, {
      cause,
    });
  }
}
