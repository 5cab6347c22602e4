// SPDX-License-Identifier: Apache-2.0
// `bailiwick key-recovery`: ways back from losses. For customer keys in files, a ceremony: splitting seals all keys under a key
// that exists only in shares; restoring needs enough people with theirs. For the
// erasable store, a new replica in the place of a lost one.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { replaceReplica } from '@bailiwick/erasable-store';
import { createRecovery, restoreKeys, writeRecovery } from '@bailiwick/kms-file';
import type { Context } from '../context.ts';
import type { Input } from './run.ts';

/** Runs `bailiwick key-recovery split`. */
export async function runKeyRecoverySplit(context: Context, { options }: Input): Promise<void> {
  const random = { bytes: (size: number): Uint8Array => randomBytes(size) };
  const threshold = Number(options['threshold']);
  const recovery = createRecovery(
    { random },
    { directory: String(options['keys']), count: Number(options['shares']), threshold },
  );
  const [sealed = '', ...shares] = writeRecovery(recovery, String(options['output']));
  const value = { v: 1, sealed, shares, threshold, keysCount: recovery.keysCount };
  context.output.result(value, () =>
    [
      `${recovery.keysCount} keys sealed in ${sealed}: keep copies of it where the keys are not`,
      ...shares.map((file, index) => `share ${index + 1}: ${file}`),
      `Give each share to one person and delete it here; any ${threshold} of them open the sealed file.`,
      'Keys that are made from now on are not in it: repeat the ceremony.',
    ].join('\n'),
  );
}

/** Runs `bailiwick key-recovery restore`. */
export async function runKeyRecoveryRestore(context: Context, { options }: Input): Promise<void> {
  const given: unknown = options['share'];
  const files = Array.isArray(given) ? given.map(String) : [];
  const directory = String(options['output']);
  const keysCount = restoreKeys({
    file: String(options['sealed']),
    shares: files.map((file) => readFileSync(file, 'utf8')),
    directory,
  });
  context.output.result({ v: 1, directory, keysCount }, () => `${keysCount} keys in ${directory}`);
}

/** Runs `bailiwick key-recovery replace-replica`. */
export async function runReplaceReplica(context: Context, { options }: Input): Promise<void> {
  const given: unknown = options['survivor'];
  const objectsCount = await replaceReplica({
    survivors: Array.isArray(given) ? given.map(String) : [],
    replacement: String(options['replacement']),
    clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
  });
  context.output.result({ v: 1, objectsCount }, () =>
    [
      `${objectsCount} objects; name these directories in \`keyService.erasableStore.replicas\` and start the key service`,
      'Should the lost replica turn up again, destroy it: it may hold what was erased since.',
    ].join('\n'),
  );
}
