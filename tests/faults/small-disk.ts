// SPDX-License-Identifier: Apache-2.0
// A disk of a few megabytes that a test may fill: a tmpfs of its own, mounted as root in a directory of the
// system's temporary space.
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface SmallDisk {
  readonly directory: string;
  /** Writes until nothing more goes on it. */
  fill(): void;
  /** Takes back what `fill` wrote. */
  free(): void;
  remove(): void;
}

/** Mounts a disk; `undefined` where this machine does not let us. */
export function mountSmallDisk(sizeMegabytes: number): SmallDisk | undefined {
  const directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-disk-'));
  const options = `size=${sizeMegabytes}m,mode=0711`;
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', directory]);
  if (mounted.status !== 0) {
    rmSync(directory, { recursive: true, force: true });
    return undefined;
  }
  const ballast = path.join(directory, 'ballast');
  return {
    directory,
    fill() {
      const file = openSync(ballast, 'a');
      try {
        for (let size = 65_536; size >= 1; ) {
          try {
            writeSync(file, Buffer.alloc(size));
          } catch {
            size = Math.floor(size / 16);
          }
        }
      } finally {
        closeSync(file);
      }
    },
    free: () => rmSync(ballast, { force: true }),
    remove() {
      spawnSync('umount', ['--lazy', directory]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
