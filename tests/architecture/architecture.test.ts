// SPDX-License-Identifier: Apache-2.0
// Goal: the rooms and arrows of STYLE §1 hold. Method: read every import of every source; a guard that
// saw nothing is no guard, so it also states how much it saw.
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  codeOf,
  importsOf,
  readRooms,
  readSources,
  type SourceFile,
  toPackageName,
} from './sources.ts';

const sources = readSources();
const rooms = readRooms();
const shipped = sources.filter((file) => !file.isTest);
const DOMAIN = ['kernel', 'atlas', 'backups', 'charter', 'policy', 'keys', 'ledger'].map(
  (name) => `packages/${name}`,
);

/** Rooms that a domain package may import besides kernel (STYLE §1, rule 1). */
const EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  'packages/charter': ['packages/atlas'],
  'packages/policy': ['packages/charter'],
};

function targetsOf(file: SourceFile): readonly string[] {
  return file.imports.flatMap((specifier) => rooms.get(toPackageName(specifier)) ?? []);
}

function offenders(
  files: readonly SourceFile[],
  isWrong: (file: SourceFile) => readonly string[],
): readonly string[] {
  return files.flatMap((file) => isWrong(file).map((problem) => `${file.path}: ${problem}`));
}

describe('the reader itself', () => {
  it('sees the rooms and their files', () => {
    expect(rooms.size).toBeGreaterThanOrEqual(18);
    expect(shipped.length).toBeGreaterThan(60);
    for (const room of DOMAIN) {
      expect(shipped.filter((file) => file.room === room).length, room).toBeGreaterThan(1);
    }
    expect(sources.reduce((sum, file) => sum + file.imports.length, 0)).toBeGreaterThan(200);
  });

  it('reads every form of import', () => {
    const text =
      "import a from 'a';\nimport {\n  b,\n} from 'b';\nimport type { C } from 'c';\nexport { d } from 'd';\nimport 'e';\nconst f = await import('f');\n";
    expect(importsOf(text)).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  });
});

describe('arrows point down', () => {
  it('kernel imports nothing', () => {
    const wrong = offenders(
      shipped.filter((file) => file.room === 'packages/kernel'),
      (file) => file.imports.filter((specifier) => !specifier.startsWith('.')),
    );
    expect(wrong).toEqual([]);
  });

  it('domain packages import kernel and nothing beside it, but for the named exceptions', () => {
    const wrong = offenders(
      shipped.filter((file) => DOMAIN.includes(file.room)),
      (file) => {
        const allowed = [file.room, 'packages/kernel', ...(EXCEPTIONS[file.room] ?? [])];
        return targetsOf(file).filter((target) => !allowed.includes(target));
      },
    );
    expect(wrong).toEqual([]);
  });

  it('no package imports an adapter or an app, no adapter an app or another adapter, no app an app', () => {
    const wrong = offenders(shipped, (file) =>
      targetsOf(file).filter((target) => {
        if (target === file.room) return false;
        if (file.kind === 'packages') return !target.startsWith('packages/');
        if (file.kind === 'adapters') return !target.startsWith('packages/');
        return target.startsWith('apps/');
      }),
    );
    expect(wrong).toEqual([]);
  });

  it('testkit is for tests only', () => {
    const wrong = offenders(
      shipped.filter((file) => file.room !== 'packages/testkit'),
      (file) => targetsOf(file).filter((target) => target === 'packages/testkit'),
    );
    expect(wrong).toEqual([]);
  });

  it('no import reaches into another room by path', () => {
    const wrong = offenders(sources, (file) =>
      file.imports.filter((specifier) => {
        if (!specifier.startsWith('.')) return false;
        const target = path.posix.join(path.posix.dirname(file.path), specifier);
        return !target.startsWith(`${file.room}/`) && !file.isTest;
      }),
    );
    expect(wrong).toEqual([]);
  });

  it('no files import each other in a circle', () => {
    const edges = new Map(
      shipped.map((file) => [
        file.path,
        file.imports
          .filter((specifier) => specifier.startsWith('.'))
          .map((specifier) => path.posix.join(path.posix.dirname(file.path), specifier)),
      ]),
    );
    expect(findCycles(edges)).toEqual([]);
  });
});

function findCycles(edges: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (file: string, trail: readonly string[]): void => {
    const at = trail.indexOf(file);
    if (at >= 0) cycles.push([...trail.slice(at), file].join(' -> '));
    if (at >= 0 || done.has(file)) return;
    for (const next of edges.get(file) ?? []) visit(next, [...trail, file]);
    done.add(file);
  };
  for (const file of edges.keys()) visit(file, []);
  return cycles;
}

describe('domain packages are pure', () => {
  const FORBIDDEN: readonly (readonly [what: string, pattern: RegExp])[] = [
    ['Date', /\bnew Date\b|\bDate\.(?:now|UTC|parse)\b/],
    ['Math.random', /\bMath\.random\b/],
    ['process', /\bprocess\.(?!_)/],
    ['fetch', /\bfetch\(/],
    ['console', /\bconsole\./],
    ['timers', /\bset(?:Timeout|Interval|Immediate)\(/],
  ];

  it('reads no time, randomness, environment or network', () => {
    const wrong = offenders(
      shipped.filter((file) => DOMAIN.includes(file.room)),
      (file) => {
        const code = codeOf(file.text);
        return FORBIDDEN.filter(([, pattern]) => pattern.test(code)).map(([what]) => what);
      },
    );
    expect(wrong).toEqual([]);
  });

  it('imports no built-in module, but for node:crypto in keys and ledger', () => {
    const wrong = offenders(
      shipped.filter((file) => DOMAIN.includes(file.room)),
      (file) =>
        file.imports.filter(
          (specifier) =>
            specifier.startsWith('node:') &&
            !(specifier === 'node:crypto' && /packages\/(?:keys|ledger)$/.test(file.room)),
        ),
    );
    expect(wrong).toEqual([]);
  });
});

describe('files are shaped alike', () => {
  const BANNED = /(?:^|[-/])(?:utils?|common|misc|helpers?|manager|info)(?:[-.]|$)/;

  it('each starts with its licence', () => {
    const wrong = sources.filter(
      (file) => !file.text.startsWith('// SPDX-License-Identifier: Apache-2.0\n'),
    );
    expect(wrong.map((file) => file.path)).toEqual([]);
  });

  it('none has a banned name', () => {
    expect(
      sources
        .filter((file) => BANNED.test(path.posix.basename(file.path)))
        .map((file) => file.path),
    ).toEqual([]);
  });

  it('an index holds named re-exports and nothing else', () => {
    const wrong = shipped
      .filter((file) => /^(?:packages|adapters)\/[^/]+\/src\/index\.ts$/.test(file.path))
      .filter(
        (file) =>
          codeOf(file.text)
            .replace(/export (?:type )?\{[^}]*\} from '';?/g, '')
            .trim() !== '',
      );
    expect(wrong.map((file) => file.path)).toEqual([]);
  });

  it('none exports a default, silences the compiler or leaves a task without an issue', () => {
    const wrong = offenders(sources, (file) => {
      const problems: string[] = [];
      if (/^export default\b/m.test(file.text)) problems.push('default export');
      if (/@ts-(?:ignore|nocheck)/.test(file.text)) problems.push('silenced compiler');
      if (/\bTODO\b(?! ?\(?#\d)/.test(file.text)) problems.push('task without an issue');
      return problems;
    });
    expect(wrong).toEqual([]);
  });

  it('each room says what it is', () => {
    const described = new Set(rooms.values());
    const missing = [...described].filter((room) => !sources.some((file) => file.room === room));
    expect(missing).toEqual([]);
  });
});
