// SPDX-License-Identifier: Apache-2.0
// `node drills/src/main.ts <name|all|short> --evidence <folder> [--json]`: runs drills on a system of its own and
// writes signed evidence. Exits with 1 when something did not hold.
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type DrillStage, openDrillStage } from 'bailiwick/drill-stage';
import {
  drillControlPlaneLost,
  drillIsolation,
  drillMechanismSuspended,
  drillMisrouted,
} from './border-drills.ts';
import { drillKeyOutage, drillKeyRevoked } from './key-drills.ts';
import { drillLeak } from './leak/leak-drill.ts';
import { createRecorder, type DrillRecord, type Recorder, writeEvidence } from './record.ts';
import { drillCellLost, drillRestore } from './restore-drills.ts';

type Drill = (stage: DrillStage, recorder: Recorder) => Promise<void>;

/** In the order in which they can share one system. */
const DRILLS: Readonly<Record<string, Drill>> = {
  isolation: drillIsolation,
  misrouted: drillMisrouted,
  'key-revoked': drillKeyRevoked,
  'control-plane-lost': drillControlPlaneLost,
  restore: drillRestore,
  'cell-lost': drillCellLost,
  leak: drillLeak,
  'mechanism-suspended': drillMechanismSuspended,
  'key-outage': drillKeyOutage,
};
/** Left out of the short form: it waits for a minute of staleness. */
const LONG: readonly string[] = ['key-outage'];

function choose(name: string | undefined): readonly string[] {
  if (name === 'all') return Object.keys(DRILLS);
  if (name === 'short') return Object.keys(DRILLS).filter((one) => !LONG.includes(one));
  return name !== undefined && DRILLS[name] !== undefined ? [name] : [];
}

async function runOne(
  stage: DrillStage,
  name: string,
  write: (line: string) => void,
): Promise<DrillRecord> {
  write(`\n${name}`);
  const recorder = createRecorder(name, write);
  try {
    await DRILLS[name]?.(stage, recorder);
  } catch (error) {
    recorder.saw(
      `the drill broke off: ${error instanceof Error ? error.message : 'unknown'}`,
      false,
    );
  }
  return recorder.end();
}

async function run(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { evidence: { type: 'string' }, json: { type: 'boolean' } },
  });
  const names = choose(positionals[0]);
  const { evidence } = values;
  if (names.length === 0 || evidence === undefined) {
    process.stderr.write(
      `bailiwick drill: error: expected \`all\`, \`short\` or one of ${Object.keys(DRILLS).join(', ')}, and \`--evidence <folder>\`\n`,
    );
    process.exitCode = 2;
    return;
  }
  const write = (line: string): void => {
    (values.json === true ? process.stderr : process.stdout).write(`${line}\n`);
  };
  write('starting a system of its own');
  const stage = await openDrillStage({
    ...{ customersCount: 120, ordersCount: 120 },
    tap: path.join(import.meta.dirname, 'leak', 'tap.mjs'),
  });
  const stop = new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => reject(new Error('interrupted')));
    }
  });
  const records: { readonly record: DrillRecord; readonly file: string }[] = [];
  try {
    for (const name of names) {
      const record = await Promise.race([runOne(stage, name, write), stop]);
      const file = writeEvidence(evidence, record);
      records.push({ record, file });
      write(`   ${record.holds ? 'held' : 'DID NOT HOLD'}; evidence ${file}`);
    }
  } finally {
    await stage.close();
  }
  const isHeld = records.length === names.length && records.every(({ record }) => record.holds);
  if (values.json === true) process.stdout.write(`${JSON.stringify({ v: 1, isHeld, records })}\n`);
  process.exitCode = isHeld ? 0 : 1;
}

await run();
