// SPDX-License-Identifier: Apache-2.0
// The reference of the charter language and of test files, written from the schemas that documents are
// checked against, so that page and program cannot disagree.
import { CHARTER_PROBLEM_CODES } from './errors.ts';
import { FINDING_KINDS } from './findings.ts';
import { CHARTER_SCHEMA, type JsonSchema } from './schema.ts';
import { CHARTER_TESTS_SCHEMA } from './tests-schema.ts';

/** A key of the language with its schema. */
interface Entry {
  readonly path: string;
  readonly schema: JsonSchema;
  readonly isRequired: boolean;
}

/** The shape of one value, in words. */
function toShape(schema: JsonSchema): string {
  if (schema.enum) return schema.enum.map((item) => `\`${item}\``).join(', ');
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.anyOf) {
    const branches = schema.anyOf;
    const [item] = branches;
    const isChoice = branches.length === 3 && branches[2]?.properties?.['not'] !== undefined;
    if (isChoice && item) return `${toShape(item)}; one, several, or \`{ not: … }\``;
    return branches.map(toShape).join('; or ');
  }
  if (schema.type === 'array') return `list of ${schema.items ? toShape(schema.items) : 'values'}`;
  if (schema.type === 'object') return schema.patternProperties ? 'map by name' : 'map';
  if (schema.type === 'integer') return `whole number, ${schema.minimum ?? 0} to ${schema.maximum}`;
  if (schema.type === 'boolean') return '`true` or `false`';
  const pattern = schema.pattern ?? '';
  if (pattern.startsWith('^\\d{4}')) return pattern.includes('T') ? 'day or instant' : 'day';
  if (pattern.includes('[dmy]')) return 'term';
  if (pattern.includes('[smh]')) return 'duration';
  return pattern.startsWith('^[a-z]') ? 'name' : 'text';
}

/** The schema under which keys stand: of a map by name its values, of a list its items. */
function toInner(schema: JsonSchema): { readonly suffix: string; readonly inner: JsonSchema } {
  const [named] = Object.values(schema.patternProperties ?? {});
  if (named) return { suffix: '.<name>', inner: named };
  if (schema.items) return { suffix: '[]', inner: schema.items };
  return { suffix: '', inner: schema };
}

function listEntries(schema: JsonSchema, path: string): readonly Entry[] {
  const own = Object.entries(schema.properties ?? {});
  return own.flatMap(([key, item]): readonly Entry[] => {
    const at = path === '' ? key : `${path}.${key}`;
    const isRequired = schema.required?.includes(key) ?? false;
    const { suffix, inner } = toInner(item);
    const below = inner.anyOf ? [] : listEntries(inner, at + suffix);
    return [{ path: at, schema: item, isRequired }, ...below];
  });
}

const toCell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function toTable(entries: readonly Entry[]): readonly string[] {
  return [
    '| key | value | meaning |',
    '|---|---|---|',
    ...entries.map(({ path, schema, isRequired }) => {
      const meaning = schema.description ?? '';
      return `| \`${path}\`${isRequired ? ' (required)' : ''} | ${toCell(toShape(schema))} | ${toCell(meaning)} |`;
    }),
  ];
}

/** Sections of a charter, each with its keys; those without keys of their own stand together. */
function toSections(schema: JsonSchema): readonly string[] {
  const entries = listEntries(schema, '');
  const top = Object.keys(schema.properties ?? {});
  const startsWith = (key: string) => (entry: Entry) =>
    entry.path === key || entry.path.startsWith(`${key}.`) || entry.path.startsWith(`${key}[`);
  const simple = top.filter((key) => entries.filter(startsWith(key)).length === 1);
  return [
    ...toTable(entries.filter(({ path }) => simple.includes(path))),
    ...top
      .filter((key) => !simple.includes(key))
      .flatMap((key) => ['', `### ${key}`, '', ...toTable(entries.filter(startsWith(key)))]),
  ];
}

const HEAD = `<!-- Written by \`npm run generate\` from packages/charter/src/reference.ts; do not edit. -->

# The charter language

A charter is one YAML file (and files that it includes). This page is written from the schema that charters are
checked against (\`schemas/charter.schema.json\`, which editors read for completion and hover). The
[guide for the privacy officer](../guides/privacy-officer.md) explains it from the beginning;
[charters/](../../charters) has worked examples.

## How a rule is read

- A rule speaks about a flow. Everything that it names must be so; what it does not name does not matter.
- A value is one name, a list (any of them), or \`{ not: … }\` (all but these).
- What no rule allows is denied. A rule that forbids wins over every rule that allows. Where several rules allow,
  all of their obligations hold.
- Data with several categories or regimes is decided element by element: all must be allowed.
- \`none\` names the absence of a category, a regime, a destination's id or a mechanism. A mechanism that does not
  hold (another regime, before its start, after its end, suspended) counts as \`none\`.
- \`home\` as \`to.id\` is a cell of the data's own residency; as a place it is that cell's territory.
- Places are jurisdictions and groupings of the atlas and names under \`places\`; a group that rests on adequacy
  loses a member on the day its decision ends.
- \`from\` is the first day, \`until\` the first day on which it no longer holds; both in UTC, judged by the instant
  of the flow.

## Environments

What differs between environments is declared under \`variables\` and given when the charter is read
(\`--set name=value\`, \`--variables file.yaml\`); a \`default\` holds where nothing is given.

\`\`\`yaml
variables:
  support-places: { means: where our partner has people at night, default: [in, ph] }
places:
  support-hubs: { means: night support, members: ["\${support-places}"] }
\`\`\`

- \`\${name}\` alone stands for the value; within a text for a part of it. A list in a list becomes its items.
- Keys hold no variables, and values hold none of their own. \`$\${\` is the characters themselves.
- What is checked, proved, hashed and signed is the charter with everything put in: two environments are two
  charters, and \`charter diff\` compares them.

## What a property means

\`never\` is read as a rule is. The property holds when no flow that the charter can express is both within it and
allowed. The space of flows is every combination of the closed sets (people, places, actions, classes, categories,
regimes, origins, residencies, forms, destinations, purposes, mechanisms, consent, conditions, periods between the
instants that the charter names), where a destination with an id stands where the charter says. \`charter prove\`
walks it with values folded that neither rules nor property tell apart: nothing is sampled. It holds for flows with
several categories or regimes too, because each of their elements alone would have to be allowed. Origin, residency
and regime are combined freely, so a property is proved also for data that somebody has labelled wrongly.

A broken property comes with a witness: of all ways to break it that were found, the one with the fewest attributes
that matter.

## Keys of a charter
`;

/** The page as Markdown. */
export function toLanguageReference(): string {
  return [
    HEAD,
    ...toSections(CHARTER_SCHEMA),
    '',
    '## Keys of a test file',
    '',
    'A test file stands beside its charter as `<name>.test.yaml` (`schemas/charter-tests.schema.json`).',
    '',
    ...toSections(CHARTER_TESTS_SCHEMA),
    '',
    '## What `charter check` reports',
    '',
    ...CHARTER_PROBLEM_CODES.map((code) => `- \`${code}\``),
    '',
    '## What `charter prove` finds beside properties',
    '',
    ...FINDING_KINDS.map((kind) => `- \`${kind}\``),
    '',
  ].join('\n');
}
