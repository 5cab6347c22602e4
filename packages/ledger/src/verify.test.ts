// SPDX-License-Identifier: Apache-2.0
// Goal (invariant 10): the verifier is small and alone: nothing of it signs, and nothing outside a few
// files has to be read to believe it.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

/** All files that `verify.ts` reaches, with what each imports. */
function readClosure(): ReadonlyMap<string, readonly string[]> {
  const closure = new Map<string, readonly string[]>();
  const waiting = ['verify.ts'];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (closure.has(file)) continue;
    const source = readFileSync(path.join(import.meta.dirname, file), 'utf8');
    const imports = [...source.matchAll(/^(?:import|export)[^;]*? from '([^']+)'/gms)];
    const names = imports.map(([, name = '']) => name);
    closure.set(file, names);
    for (const name of names) if (name.startsWith('./')) waiting.push(name.slice(2));
  }
  return closure;
}

describe('the verifier', () => {
  const closure = readClosure();

  it('imports its own few files and node:crypto, nothing else', () => {
    expect([...closure.keys()].sort()).toEqual([
      'checkpoint.ts',
      'errors.ts',
      'export.ts',
      'hash.ts',
      'note.ts',
      'proof.ts',
      'tile.ts',
      'tlog-policy.ts',
      'tlog-proof.ts',
      'verify.ts',
    ]);
    const outside = [...closure.values()].flat().filter((name) => !name.startsWith('./'));
    expect(new Set(outside)).toEqual(new Set(['node:crypto']));
  });

  it('holds no signing code, and can be read in an evening', () => {
    let lines = 0;
    for (const file of closure.keys()) {
      const source = readFileSync(path.join(import.meta.dirname, file), 'utf8');
      lines += source.split('\n').length;
      expect(source, file).not.toMatch(/\bsign\(|createPrivateKey|createSign\b/);
    }
    expect(lines).toBeGreaterThan(800);
    expect(lines).toBeLessThan(2_000);
  });
});
