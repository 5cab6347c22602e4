// SPDX-License-Identifier: Apache-2.0
// The shape of a file of tests that stands beside a charter, as JSON Schema draft-07.
import {
  ACTIONS,
  ACTOR_KINDS,
  ASSURANCES,
  CONSENTS,
  DATA_CLASSES,
  DENIAL_CAUSES,
  DESTINATION_KINDS,
  FORMS,
  OBLIGATION_KINDS,
} from '@bailiwick/kernel';
import { TEST_CASE_COUNT_MAX } from './limits.ts';
import type { JsonSchema } from './schema.ts';

const text = (description: string): JsonSchema => ({
  type: 'string',
  minLength: 1,
  maxLength: 500,
  description,
});
const closed = (values: readonly string[], description: string): JsonSchema => ({
  type: 'string',
  enum: values,
  description,
});
const list = (items: JsonSchema, description: string): JsonSchema => ({
  type: 'array',
  items,
  maxItems: 300,
  description,
});
const object = (
  properties: Readonly<Record<string, JsonSchema>>,
  description: string,
  required: readonly string[] = [],
): JsonSchema => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
  description,
});

const moment: JsonSchema = {
  type: 'string',
  pattern: '^\\d{4}-\\d{2}-\\d{2}(?:T\\d{2}:\\d{2}:\\d{2}(?:\\.\\d{1,3})?Z)?$',
  description: 'Day or instant of the flow.',
};

const flow = object(
  {
    actor: object(
      {
        kind: closed(
          ACTOR_KINDS,
          'A workload or a person; default: what the role says, or person.',
        ),
        role: text('Role of the charter.'),
        employer: text('Employer of the charter; default: the first.'),
        assurance: closed(ASSURANCES, 'Assurance of the sign-in; default: high.'),
        place: text('Where the actor is; default: where the data’s cell stands.'),
      },
      'Who acts.',
    ),
    action: closed(ACTIONS, 'What is done.'),
    data: object(
      {
        from: text(
          'A label of where it was collected, such as `EIRE`: sets origin, home and regimes.',
        ),
        class: closed(DATA_CLASSES, 'Class; default: restricted.'),
        categories: list(text('Category.'), 'Categories of the fields touched; default: none.'),
        regimes: list(text('Regime.'), 'Regimes, where they are not those of `from`.'),
        origin: text('Origin, where it is not that of `from`.'),
        residency: text('Residency, where it is not that of `from`.'),
      },
      'What the data is.',
    ),
    form: closed(FORMS, 'Form; default: plain.'),
    to: object(
      {
        kind: closed(DESTINATION_KINDS, 'Kind; default: that of the id.'),
        id: text('A cell, a provider, or `home`: the data’s own cell.'),
        location: text('Where it stands; default: as the charter says of the id.'),
        operator: text('Whose law reaches its operator; default: as declared, or the location.'),
      },
      'Where it goes.',
    ),
    purpose: text('Purpose of the charter.'),
    mechanism: text('Transfer mechanism; default: none.'),
    consent: closed(CONSENTS, 'Consent; default: absent.'),
    conditions: list(text('Condition.'), 'Named conditions that are true.'),
    at: moment,
  },
  'A flow. What a case leaves out is taken from the file’s own `flow`.',
);

const obligation = object(
  {
    kind: closed(OBLIGATION_KINDS, 'Kind.'),
    minimumCount: {
      type: 'integer',
      minimum: 2,
      maximum: 1_000_000,
      description: 'Smallest group.',
    },
    categories: list(text('Category.'), 'Categories.'),
  },
  'An obligation.',
  ['kind'],
);

const nearest = object(
  {
    form: text('Changed form.'),
    mechanism: text('Changed mechanism.'),
    to: text('Changed destination.'),
    consent: text('Changed consent.'),
    purpose: text('Changed purpose.'),
  },
  'A change under which the flow would be allowed.',
);

const expectation = object(
  {
    decision: closed(['allow', 'deny'], 'What the charter says of the flow.'),
    rules: list(text('Rule.'), 'All rules that decide, in any order.'),
    cause: closed(DENIAL_CAUSES, 'Why it is denied.'),
    obligations: list(obligation, 'All obligations, in any order.'),
    nearest: list(nearest, 'Changes that are among those proposed.'),
    cell: text('Cell of the home.'),
    regimes: list(text('Regime.'), 'All regimes of the home.'),
    refused: { type: 'boolean', description: 'True: the charter has no home for it.' },
  },
  'What must come out.',
);

const testCase = object(
  {
    case: text('What it shows, as a sentence.'),
    home: text('A label: the case is about where its data lives.'),
    flow,
    expect: expectation,
  },
  'One case: about a flow, or about a home.',
  ['case', 'expect'],
);

/** The schema of files of tests. */
export const CHARTER_TESTS_SCHEMA: JsonSchema = object(
  {
    tests: { const: 1, description: 'Version of the form.' },
    charter: text('Name of the charter that is tested.'),
    at: { ...moment, description: 'Day or instant of all flows that name none.' },
    flow,
    cases: {
      type: 'array',
      items: testCase,
      minItems: 1,
      maxItems: TEST_CASE_COUNT_MAX,
      description: 'The cases.',
    },
  },
  'Tests of a charter: given a flow or a label, what must come out.',
  ['tests', 'charter', 'cases'],
);

/** The JSON Schema (draft-07) of test files for editors. */
export function toTestsJsonSchema(): Record<string, unknown> {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $id: 'urn:bailiwick:schema:charter-tests:1',
    title: 'Tests of a Bailiwick charter',
    ...JSON.parse(JSON.stringify(CHARTER_TESTS_SCHEMA)),
  };
}
