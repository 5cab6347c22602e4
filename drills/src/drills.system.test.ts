// SPDX-License-Identifier: Apache-2.0
// The short form of the drills, as CI runs it: a system of real processes, every drill but the one that waits for
// a minute, and evidence that verifies and does not when a byte of it was changed.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DrillRecord, readEvidence } from './record.ts';

const CLI = path.resolve(import.meta.dirname, '../../apps/cli/src/main.ts');
const RUN_MS_MAX = 540_000;

let folder: string;
let ran: ReturnType<typeof spawnSync>;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'bailiwick-evidence-'));
  ran = spawnSync(process.execPath, [CLI, 'drill', 'short', '--evidence', folder], {
    encoding: 'utf8',
    timeout: RUN_MS_MAX,
  });
}, RUN_MS_MAX + 10_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function records(): readonly { readonly text: string; readonly record: DrillRecord }[] {
  const key = readFileSync(path.join(folder, 'drill-key.pub'), 'utf8');
  return readdirSync(folder)
    .filter((name) => name.endsWith('.dsse.json'))
    .map((name) => readFileSync(path.join(folder, name), 'utf8'))
    .map((text) => ({ text, record: readEvidence(text, key) }));
}

describe('the drills in their short form', () => {
  it('all hold', () => {
    expect(ran.status, `${String(ran.stdout)}\n${String(ran.stderr)}`).toBe(0);
    expect(
      records()
        .map(({ record }) => record.drill)
        .sort(),
    ).toEqual([
      'cell-lost',
      'control-plane-lost',
      'isolation',
      'key-revoked',
      'leak',
      'mechanism-suspended',
      'misrouted',
      'restore',
    ]);
    for (const { record } of records()) expect(record.holds, record.drill).toBe(true);
  });

  it('leave evidence that does not verify once a byte of it was changed', () => {
    const key = readFileSync(path.join(folder, 'drill-key.pub'), 'utf8');
    for (const { text } of records()) {
      const envelope = JSON.parse(text);
      const payload = Buffer.from(envelope.payload, 'base64');
      payload[20] = (payload[20] ?? 0) ^ 1;
      const changed = JSON.stringify({ ...envelope, payload: payload.toString('base64') });
      expect(() => readEvidence(changed, key)).toThrowError(
        expect.objectContaining({ code: 'KEYS_DSSE_UNTRUSTED' }),
      );
    }
  });

  it('say what a drill is when it is asked for one that is not there', () => {
    const wrong = spawnSync(process.execPath, [CLI, 'drill', 'nothing', '--evidence', folder], {
      encoding: 'utf8',
    });
    expect(wrong.status).toBe(2);
    expect(wrong.stderr).toContain('cell-lost');
  });
});
