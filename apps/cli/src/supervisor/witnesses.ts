// SPDX-License-Identifier: Apache-2.0
// Who witnesses whose ledger in the demonstration: each cell's checkpoints go to two other cells, and to
// whoever stands in `witnesses.yaml` of the state directory. The cells are all of one operator, and the
// policy written here says so: together they are one voice.
import { createPrivateKey } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createCosigner, createLogSigner, toOrigin, toVerifierKeyText } from '@bailiwick/ledger';
import { parse } from 'yaml';
import { CliError } from '../errors.ts';
import { toSecretFile } from './databases.ts';
import { type CellPlan, type Layout, OPERATOR_NAME } from './layout.ts';

/** Cells that cosign for each cell. */
const COSIGNERS_COUNT = 2;
/** File of a state directory with witnesses of others: a list of `{ key, url }`. */
const OUTSIDE_FILE = 'witnesses.yaml';
/** File of a state directory with the policy under which exports are checked. */
export const POLICY_FILE = 'ledger-policy';

const readKey = (file: string): ReturnType<typeof createPrivateKey> =>
  createPrivateKey(readFileSync(file, 'utf8'));

/** The key with which a stranger checks a cell's log (C2SP verifier key). */
export function toLedgerKey(plan: CellPlan): string {
  const privateKey = readKey(toSecretFile(plan.directory, 'ledger-key.pem'));
  const { verifierKey } = createLogSigner({ origin: toOrigin(plan.cell, 1), privateKey });
  return toVerifierKeyText(verifierKey);
}

const toWitnessName = ({ cell }: CellPlan): string => `${cell}/witness`;

/** The key with which a cell cosigns (C2SP verifier key). */
function toWitnessKey(plan: CellPlan): string {
  const privateKey = readKey(toSecretFile(plan.directory, 'witness-key.pem'));
  return toVerifierKeyText(createCosigner({ name: toWitnessName(plan), privateKey }).verifierKey);
}

/** The `witnesses` section of a cell's configuration. */
export function toWitnessesConfig(layout: Layout, plan: CellPlan): object {
  const { cells, state } = layout;
  const others = cells.filter(({ cell }) => cell !== plan.cell);
  const start = cells.indexOf(plan);
  const cosigners = [...cells.slice(start + 1), ...cells.slice(0, start)].slice(0, COSIGNERS_COUNT);
  return {
    keyFile: toSecretFile(plan.directory, 'witness-key.pem'),
    logs: others.map(toLedgerKey),
    cosigners: [
      ...cosigners.map((one) => ({ kind: 'cell', cell: one.cell, key: toWitnessKey(one) })),
      ...readOutside(state).map(({ key, url }) => ({ kind: 'external', key, url })),
    ],
  };
}

interface Outside {
  readonly key: string;
  readonly url: string;
}

function readOutside(state: string): readonly Outside[] {
  const file = path.join(state, OUTSIDE_FILE);
  if (!existsSync(file)) return [];
  const listed: unknown = parse(readFileSync(file, 'utf8'));
  if (Array.isArray(listed) && listed.every(isOutside)) return listed;
  throw new CliError('CLI_CONFIG_INVALID', `\`${file}\`: expected a list of \`key\` and \`url\``);
}

function isOutside(value: unknown): value is Outside {
  return (
    typeof value === 'object' &&
    value !== null &&
    'key' in value &&
    typeof value.key === 'string' &&
    'url' in value &&
    typeof value.url === 'string'
  );
}

/** Writes the demonstration's trust policy (c2sp.org/tlog-policy). */
export function writeLedgerPolicy({ cells, state }: Layout): string {
  const lines = [
    '# Whose word counts for the ledgers of this demonstration (c2sp.org/tlog-policy); written at each start.',
    '# A group stands for who runs its witnesses. All cells have one operator here: one voice.',
    '# Add a witness of your own in a group of its own, and put both groups under the quorum.',
    ...cells.map((plan) => `log ${toLedgerKey(plan)}`),
    ...cells.map((plan) => `witness ${toWitnessName(plan)} ${toWitnessKey(plan)}`),
    `group ${OPERATOR_NAME} ${Math.min(COSIGNERS_COUNT, cells.length - 1)} ${cells.map(toWitnessName).join(' ')}`,
    `quorum ${OPERATOR_NAME}`,
  ];
  const file = path.join(state, POLICY_FILE);
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}
