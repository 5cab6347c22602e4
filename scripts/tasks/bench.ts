// SPDX-License-Identifier: Apache-2.0
// `npm run bench -- <suite> [--json]`: figures beside a baseline of the same work in the same run.
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BenchDocument } from '../../bench/src/document.ts';

const FOLDER = path.resolve(import.meta.dirname, '../../bench/src');
const [suite = ''] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const asJson = process.argv.includes('--json');

const suites = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.bench.ts'))
  .map((name) => name.slice(0, -'.bench.ts'.length));
const file = path.join(FOLDER, `${suite}.bench.ts`);
if (!suites.includes(suite) || !existsSync(file)) {
  process.stderr.write(`bailiwick: error: no benchmark suite \`${suite}\`\n`);
  process.stderr.write(`bailiwick: hint: one of ${suites.join(', ')}\n`);
  process.exit(2);
}

const { run } = (await import(pathToFileURL(file).href)) as { run: () => Promise<BenchDocument> };
const document = await run();
if (asJson) {
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
} else {
  for (const { id, unit, value, baseline, ratio, p50, p99 } of document.results) {
    const times = p99 === undefined ? '' : `  p50 ${p50?.toFixed(2)} ms  p99 ${p99.toFixed(2)} ms`;
    process.stdout.write(
      `${id.padEnd(24)} ${Math.round(value).toLocaleString('en')} ${unit}  ` +
        `${ratio.toFixed(2)} x ${baseline.name} (${Math.round(baseline.value).toLocaleString('en')})${times}\n`,
    );
  }
}
process.exit(0);
