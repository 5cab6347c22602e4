// SPDX-License-Identifier: Apache-2.0
// Files that many look at are looked at once: a trust bundle is part of every identity of a process.
import { type Stats, unwatchFile, watchFile } from 'node:fs';
import path from 'node:path';

interface Followed {
  readonly listeners: Set<() => void>;
  readonly onStat: (now: Stats, before: Stats) => void;
}

/** By path and interval. */
const followed = new Map<string, Followed>();

/** Calls back after each change of a file; gives the way to stop. */
export function followFile(
  file: string,
  { pollMs, onChange }: { readonly pollMs: number; readonly onChange: () => void },
): () => void {
  const name = `${pollMs} ${path.resolve(file)}`;
  const one = followed.get(name) ?? begin(file, { name, pollMs });
  // A listener of its own each time: the same function may follow twice.
  const listener = (): void => onChange();
  one.listeners.add(listener);
  return () => {
    one.listeners.delete(listener);
    if (one.listeners.size > 0 || followed.get(name) !== one) return;
    followed.delete(name);
    unwatchFile(path.resolve(file), one.onStat);
  };
}

function begin(
  file: string,
  { name, pollMs }: { readonly name: string; readonly pollMs: number },
): Followed {
  const listeners = new Set<() => void>();
  const onStat = (now: Stats, before: Stats): void => {
    if (now.mtimeMs === before.mtimeMs && now.ino === before.ino) return;
    for (const listener of [...listeners]) listener();
  };
  const one = { listeners, onStat };
  followed.set(name, one);
  watchFile(path.resolve(file), { interval: pollMs, persistent: false }, onStat);
  return one;
}
