// SPDX-License-Identifier: Apache-2.0
// A compiled charter as plain JSON, for tools that are not ours: homes, closed sets and rules written out.
import type { Json } from '@bailiwick/kernel';
import type { CompiledCharter } from './compile.ts';
import { createConditionsReader } from './conjunct.ts';

/** Everything that the charter comes to, as JSON. */
export function toCompiledJson(charter: CompiledCharter): Json {
  const read = createConditionsReader(charter);
  const value = {
    v: 1,
    name: charter.name,
    hash: charter.hash,
    atlas: charter.atlasDate,
    freshForMs: charter.freshForMs,
    cells: charter.cells,
    providers: charter.providers,
    homes: Object.fromEntries(charter.homes),
    names: Object.fromEntries(charter.names),
    instantsMs: charter.instantsMs,
    conditions: charter.conditions,
    attributes: charter.attributes
      .filter(({ id }) => id !== 'period' && !id.startsWith('given.'))
      .map(({ id, values }) => ({ id, values })),
    mechanisms: charter.mechanisms,
    retention: charter.retention,
    keys: charter.keys,
    rules: charter.rules.map((rule, index) => ({
      ...rule,
      conjunctions: charter.variants
        .filter((variant) => variant.rule === index)
        .map((variant) => read([variant.box]).common),
    })),
  };
  return JSON.parse(JSON.stringify(value));
}
