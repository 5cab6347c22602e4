// SPDX-License-Identifier: Apache-2.0
// The shape of a charter as JSON Schema draft-07, which is what editors read: completion, hover and red
// lines while somebody writes. `shape.ts` checks documents against this same object, so that editor and
// program cannot disagree. Meaning (does the cell exist, is the adequacy in force) is checked later.
import {
  ACTIONS,
  ACTOR_KINDS,
  ASSURANCES,
  CONSENTS,
  DATA_CLASSES,
  DESTINATION_KINDS,
  FORMS,
  OBLIGATION_KINDS,
} from '@bailiwick/kernel';
import { type TSchema, Type } from 'typebox';
import { RULE_COUNT_MAX } from './limits.ts';

/** The part of JSON Schema that a charter's schema is written in. */
export interface JsonSchema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'boolean';
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
  readonly propertyNames?: JsonSchema;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly enum?: readonly string[];
  readonly const?: number | string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}

const NAME_PATTERN = '^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$';
const CELL_PATTERN = '^[a-z]{2}-[a-z0-9]{2,8}(?:/[a-z][a-z0-9]*(?:-[a-z0-9]+)*)?$';
const DATE_PATTERN = '^\\d{4}-\\d{2}-\\d{2}$';
const MOMENT_PATTERN = '^\\d{4}-\\d{2}-\\d{2}(?:T\\d{2}:\\d{2}:\\d{2}(?:\\.\\d{1,3})?Z)?$';

const describe = (description: string): { description: string } => ({ description });
const name = (description: string): TSchema =>
  Type.String({ pattern: NAME_PATTERN, maxLength: 63, description });
const text = (description: string): TSchema =>
  Type.String({ minLength: 1, maxLength: 2000, description });
const date = (description: string): TSchema => Type.String({ pattern: DATE_PATTERN, description });
const closed = (values: readonly string[], description: string): TSchema =>
  Type.Unsafe<string>({ type: 'string', enum: [...values], description });
const cell = (description: string): TSchema => Type.String({ pattern: CELL_PATTERN, description });
const object = (properties: Record<string, TSchema>, description?: string): TSchema =>
  Type.Object(properties, {
    additionalProperties: false,
    ...(description === undefined ? {} : { description }),
  });
const optional = (schema: TSchema): TSchema => Type.Optional(schema);
const list = (items: TSchema, description: string, minItems = 0, maxItems = 2000): TSchema =>
  Type.Array(items, { minItems, maxItems, description });
const named = (value: TSchema, description: string, key = NAME_PATTERN): TSchema =>
  Type.Unsafe<Record<string, unknown>>({
    type: 'object',
    patternProperties: { [key]: value },
    additionalProperties: false,
    description,
  });

const because = text('Why, in words that a person without law or code understands.');
const source = text('The citation that it rests on, such as `GDPR Art. 44`.');
const means = text('What it means, in words.');
const regimes = list(name('A regime of the atlas, such as `gdpr`.'), 'Regimes carried.', 1, 4);

function choice(item: TSchema, description: string): TSchema {
  const several = Type.Array(item, { minItems: 1, maxItems: 300 });
  return Type.Union(
    [item, several, object({ not: Type.Union([item, several]) })],
    describe(description),
  );
}
const names = (description: string): TSchema => choice(name('A name.'), description);

const flowProperties: Record<string, TSchema> = {
  actor: optional(
    object(
      {
        kind: optional(choice(closed(ACTOR_KINDS, 'Kind of actor.'), 'A workload or a person.')),
        role: optional(names('Role of the charter.')),
        employer: optional(names('Employer of the charter.')),
        assurance: optional(
          choice(closed(ASSURANCES, 'Level.'), 'Assurance of the sign-in (eIDAS).'),
        ),
        place: optional(names('Where the actor is: a jurisdiction, a grouping or a place.')),
      },
      'Who acts.',
    ),
  ),
  action: optional(choice(closed(ACTIONS, 'Action.'), 'What is done.')),
  data: optional(
    object(
      {
        class: optional(choice(closed(DATA_CLASSES, 'Class.'), 'Class of the data.')),
        category: optional(names('Category of the charter; `none` for data of no category.')),
        regime: optional(names('Regime the data carries; `none` for data under no regime.')),
        origin: optional(names('Where it was collected: a jurisdiction, a grouping or a place.')),
        residency: optional(
          choice(
            Type.String({ pattern: '^[a-z]{2}-[a-z0-9]{2,8}$' }),
            'Residency label of its home.',
          ),
        ),
      },
      'What the data is.',
    ),
  ),
  form: optional(choice(closed(FORMS, 'Form.'), 'The shape in which it moves.')),
  to: optional(
    object(
      {
        kind: optional(
          choice(closed(DESTINATION_KINDS, 'Kind of destination.'), 'What receives it.'),
        ),
        id: optional(
          choice(
            Type.String({ pattern: `${CELL_PATTERN}|${NAME_PATTERN}` }),
            'A cell, a provider, or `home`: a cell of the data’s own residency.',
          ),
        ),
        location: optional(names('Where it stands: a jurisdiction, a grouping or a place.')),
        operator: optional(names('Whose law can reach its operator.')),
      },
      'Where it goes. A read goes to its reader.',
    ),
  ),
  purpose: optional(names('Purpose of the charter.')),
  mechanism: optional(names('Transfer mechanism of the charter; `none` for the absence of one.')),
  consent: optional(choice(closed(CONSENTS, 'Consent.'), 'What the person said.')),
  given: optional(
    Type.Union(
      [name('Condition.'), list(name('Condition.'), 'Conditions.', 1, 16)],
      describe('Named conditions that must be true.'),
    ),
  ),
  unless: optional(
    Type.Union(
      [name('Condition.'), list(name('Condition.'), 'Conditions.', 1, 16)],
      describe('Named conditions that must not be true.'),
    ),
  ),
  from: optional(date('First day (UTC).')),
  until: optional(date('First day on which it no longer holds (UTC).')),
};

const obligations = list(
  object({
    kind: closed(OBLIGATION_KINDS, 'What the enforcement point must do.'),
    minimumCount: optional(
      Type.Integer({
        minimum: 2,
        maximum: 1_000_000,
        description: 'For `aggregate`: the smallest group.',
      }),
    ),
    categories: optional(
      list(name('Category.'), 'For `mask` and `redact`: what is hidden.', 1, 64),
    ),
  }),
  'What must be done with the data on the way; an enforcement point that cannot, denies.',
  1,
  16,
);

const keyClause = object({
  custody: closed(['cell', 'customer', 'hold-your-own'], 'Who holds the key at the top.'),
  doubleKey: optional(Type.Boolean(describe('Two keys of two parties are needed.'))),
  attestation: optional(Type.Boolean(describe('Only attested processes get the key.'))),
  because,
  source,
});

const byClass = (value: TSchema, description: string): TSchema =>
  object(Object.fromEntries(DATA_CLASSES.map((item) => [item, optional(value)])), description);

const meant = Type.Union([means, object({ means })], describe('What it means, in words.'));

const sections: Record<string, TSchema> = {
  cells: named(
    object({
      location: name('Jurisdiction in which it stands.'),
      operator: name('Jurisdiction whose law can reach its operator.'),
      territory: optional(
        Type.Union(
          [name('A place.'), list(name('A place.'), 'Places.', 1, 300)],
          describe('From where its data is read day by day: what `home` means as a location.'),
        ),
      ),
      means: optional(means),
    }),
    'The cells.',
    CELL_PATTERN,
  ),
  homes: named(
    object({
      cell: cell('The cell in which data collected there lives.'),
      regimes,
      adequacyBy: optional(
        name('Who must have found the cell’s country adequate: checked in the atlas.'),
      ),
      because,
      source,
    }),
    'Where data collected in a jurisdiction, grouping or place lives. The narrower one counts.',
  ),
  refused: optional(
    named(object({ because, source }), 'Jurisdictions whose data is refused, with the reason.'),
  ),
  otherwise: optional(
    object(
      { cell: cell('The cell for all others.'), regimes, because, source },
      'Home of every jurisdiction not named. Without it they are refused.',
    ),
  ),
  names: optional(
    named(
      name('Jurisdiction.'),
      'Other labels of jurisdictions in your data, such as `EIRE: ie`.',
      '^.{1,80}$',
    ),
  ),
  places: optional(
    named(
      object({
        means: optional(means),
        members: optional(
          list(name('A jurisdiction, grouping or place.'), 'Who belongs to it.', 1, 300),
        ),
        adequacyBy: optional(
          name('Everybody whom this jurisdiction has found adequate, while that lasts.'),
        ),
        only: optional(list(name('Jurisdiction.'), 'With `adequacyBy`: only these.', 1, 300)),
      }),
      'Groups of jurisdictions.',
    ),
  ),
  regimes: optional(named(meant, 'Overlays besides the homes’ regimes, such as `pci-dss`.')),
  classes: optional(byClass(meant, 'What the four classes mean here.')),
  categories: named(meant, 'Categories of data.'),
  purposes: named(
    object({
      means,
      basis: list(
        closed(
          [
            'consent',
            'contract',
            'legal-obligation',
            'vital-interests',
            'public-task',
            'legitimate-interests',
          ],
          'Legal basis (GDPR Art. 6(1)).',
        ),
        'Legal bases.',
        1,
        6,
      ),
    }),
    'Purposes.',
  ),
  roles: named(object({ means, kind: optional(closed(ACTOR_KINDS, 'Kind of actor.')) }), 'Roles.'),
  employers: named(meant, 'Who employs actors.'),
  providers: optional(
    named(
      object({ means, location: name('Jurisdiction.'), operator: name('Jurisdiction.') }),
      'Others who receive data.',
    ),
  ),
};

const rules: Record<string, TSchema> = {
  mechanisms: optional(
    named(
      object({
        means,
        under: named(
          name('Instrument of the atlas.'),
          'Regime to the instrument that it recognises.',
        ),
        from: optional(date('First day (UTC).')),
        until: optional(date('First day on which it no longer holds (UTC).')),
        suspendedFrom: optional(
          Type.String({
            pattern: MOMENT_PATTERN,
            description: 'Day or instant from which it is suspended.',
          }),
        ),
      }),
      'Transfer mechanisms.',
    ),
  ),
  conditions: optional(
    named(meant, 'Facts that enforcement points compute and write into the entry.'),
  ),
  retention: optional(
    list(
      object({
        category: name('Category.'),
        class: optional(
          closed(['restricted', 'sensitive', 'operational', 'public'], 'Only data of this class.'),
        ),
        jurisdiction: optional(
          name('Only data collected in this jurisdiction or grouping of the atlas.'),
        ),
        keepFor: Type.String({
          pattern: '^[1-9]\\d{0,3}[dmy]$',
          description: 'Such as `30d`, `18m`, `10y`.',
        }),
        from: closed(['collection', 'last-activity', 'contract-end'], 'What the term counts from.'),
        required: optional(
          Type.Boolean({
            description:
              'A law asks that it be kept so long: an erasure keeps it until then, and no contract shortens it.',
          }),
        ),
        because,
        source,
      }),
      'How long data is kept.',
    ),
  ),
  keys: optional(byClass(keyClause, 'What keys each class needs.')),
  rules: list(
    object({
      allow: optional(name('Id of a rule that allows.')),
      forbid: optional(name('Id of a rule that forbids: it wins over every rule that allows.')),
      ...flowProperties,
      obligations: optional(obligations),
      because,
      source,
    }),
    'The rules. What no rule allows is denied.',
    1,
    RULE_COUNT_MAX,
  ),
  exceptions: optional(
    list(
      object({
        exception: name('Its id.'),
        ...flowProperties,
        lifts: optional(
          list(
            name('Rule that forbids.'),
            'Rules that do not apply to these flows until the end.',
            1,
            16,
          ),
        ),
        until: date('First day on which it no longer holds (UTC).'),
        approver: name('Who approved it: a role of the charter.'),
        reason: because,
        source,
        obligations: optional(obligations),
      }),
      'Dated exceptions.',
    ),
  ),
  properties: optional(
    list(
      object({
        property: name('Its id.'),
        never: object(flowProperties, 'Flows of which none is ever allowed.'),
        because,
      }),
      'What must hold for every flow; `bailiwick charter prove` checks them.',
    ),
  ),
};

const charter = object(
  {
    charter: Type.Literal(1, describe('Version of the language.')),
    name: name('Name of the charter.'),
    title: optional(text('Title.')),
    atlas: date('Date of the atlas whose facts this rests on.'),
    freshFor: optional(
      Type.String({
        pattern: '^[1-9]\\d{0,4}[smh]$',
        description: 'Age of the law past which borders close, such as `60s`. Default: `60s`.',
      }),
    ),
    include: optional(
      list(text('Path of a file beside this one.'), 'Files whose sections are added.', 1, 15),
    ),
    variables: optional(
      named(
        object({
          means,
          default: optional(
            Type.Union(
              [
                text('A text.'),
                Type.Integer({ minimum: 0, maximum: 1_000_000_000, description: 'A number.' }),
                list(text('A text.'), 'A list: put into a list, it becomes its items.', 1, 300),
              ],
              describe('What it stands for where an environment says nothing.'),
            ),
          ),
        }),
        'What differs between environments. A name after a dollar sign and in braces stands for the value anywhere below.',
      ),
    ),
    ...sections,
    ...rules,
  },
  'A charter: where data lives, who may do what with it where, and why.',
);

/** The schema that documents are checked against. */
export const CHARTER_SCHEMA: JsonSchema = JSON.parse(JSON.stringify(charter));

const { from: _from, until: _until, ...timelessFlow } = flowProperties;
const names300 = (description: string): TSchema => list(name('A name.'), description, 1, 300);
const cells = list(cell('Cell.'), 'Cells.', 1, 300);

/** The schema of contract terms. */
export const CONTRACT_TERMS_SCHEMA: JsonSchema = JSON.parse(
  JSON.stringify(
    object(
      {
        terms: Type.Literal(1, describe('Version of the form.')),
        version: Type.Integer({
          minimum: 1,
          maximum: 2 ** 31,
          description: 'Grows with each signing.',
        }),
        residencies: optional(names300('The only residencies.')),
        supportPlaces: optional(names300('The only places from which the data is touched.')),
        purposes: optional(names300('The only purposes.')),
        keyCustody: optional(closed(['cell', 'customer', 'hold-your-own'], 'Who holds the key.')),
        keyStalenessMsMax: optional(
          Type.Integer({
            minimum: 0,
            maximum: 86_400_000,
            description: 'Staleness of a customer key.',
          }),
        ),
        freshForMsMax: optional(
          Type.Integer({ minimum: 1000, maximum: 86_400_000, description: 'Age of the law.' }),
        ),
        standbyCells: optional(cells),
        retentionDaysMax: optional(
          Type.Unsafe<Record<string, number>>({
            type: 'object',
            patternProperties: {
              [NAME_PATTERN]: Type.Integer({ minimum: 1, maximum: 366_000, description: 'Days.' }),
            },
            additionalProperties: false,
            description: 'Longest retention per category.',
          }),
        ),
        identity: optional(
          object({
            issuer: text('Issuer of the tenant’s bearer tokens (URL).'),
            audience: text('Audience that they must name.'),
            jwksUri: optional(text('Where its keys are (URL).')),
          }),
        ),
        forbid: optional(
          list(
            object({ forbid: name('Its id.'), ...timelessFlow, because, source }),
            'Further flows that never happen.',
            1,
            100,
          ),
        ),
      },
      'Contract terms: they can only narrow.',
    ),
  ),
);

const REFERENCE_PATTERN = '^\\$\\{[a-z][a-z0-9]*(?:-[a-z0-9]+)*\\}$';

/** Lets a variable stand wherever a value can: editors see the text before anything is put in. */
function allowVariables(schema: JsonSchema): JsonSchema {
  const reference: JsonSchema = { type: 'string', pattern: REFERENCE_PATTERN };
  const of = (all: Readonly<Record<string, JsonSchema>>): Record<string, JsonSchema> =>
    Object.fromEntries(Object.entries(all).map(([key, item]) => [key, allowVariables(item)]));
  const { properties, patternProperties, items, anyOf } = schema;
  const inner: JsonSchema = {
    ...schema,
    ...(properties === undefined ? {} : { properties: of(properties) }),
    ...(patternProperties === undefined ? {} : { patternProperties: of(patternProperties) }),
    ...(items === undefined ? {} : { items: allowVariables(items) }),
    ...(anyOf === undefined ? {} : { anyOf: [...anyOf.map(allowVariables), reference] }),
  };
  const isFree = schema.type === 'string' && schema.pattern === undefined && !schema.enum;
  const isMap = schema.type === 'object' || schema.anyOf !== undefined;
  if (isFree || isMap || schema.const !== undefined) return inner;
  const { description, ...rest } = inner;
  return { ...(description === undefined ? {} : { description }), anyOf: [rest, reference] };
}

/** The charter's JSON Schema (draft-07) for editors, as committed in `schemas/charter.schema.json`. */
export function toJsonSchema(): Record<string, unknown> {
  const { properties = {}, ...rest } = CHARTER_SCHEMA;
  const sectionsWithVariables = Object.entries(properties).map(([key, schema]) => [
    key,
    ['charter', 'include', 'variables'].includes(key) ? schema : allowVariables(schema),
  ]);
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $id: 'urn:bailiwick:schema:charter:1',
    title: 'Bailiwick charter',
    ...rest,
    properties: Object.fromEntries(sectionsWithVariables),
  };
}
