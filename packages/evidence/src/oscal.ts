// SPDX-License-Identifier: Apache-2.0
// OSCAL assessment results (NIST, github.com/usnistgov/OSCAL, model 1.0.6) written from what was counted. The
// controls are of NIST SP 800-53 rev. 5. A finding says no more than the entries do; what nobody did leaves
// an observation and no finding. Ids follow from the statement, so the same pack is the same text.
import type { Figures } from './figures.ts';
import { sha256 } from './statement.ts';

/** What the results are written from. */
export interface AssessmentSource {
  /** SHA-256 of the statement: ids follow from it. */
  readonly seed: string;
  readonly at: string;
  readonly cell: string;
  readonly tenant: string;
  readonly origin: string;
  readonly size: number;
  readonly root: string;
  readonly charter: {
    readonly name: string;
    readonly hash: string;
    readonly holds: boolean;
    readonly properties: number;
  };
  readonly figures: Figures;
  readonly receiptsCount: number;
}

export const OSCAL_VERSION = '1.0.6';
/** Key: a control; value: what of it the pack speaks about. */
const CONTROLS = {
  'ac-4': 'flows are decided under one charter whose declared properties are proved for every flow',
  'au-9': 'entries cannot be changed, removed or reordered unseen',
  'au-10': 'who acted is bound to each entry under a signed root',
  'sc-12': 'a customer key that is disabled is let go of in bounded time',
  'mp-6': 'erased persons’ keys are destroyed and each replica has signed for it',
} as const;
type Control = keyof typeof CONTROLS;

/** Time to revoke that the design promises to a process that is cut off, in milliseconds. */
const REVOKE_MS_MAX = 1_100;

/** An id in the shape of UUID version 5 that follows from the seed and a name. */
function toId(seed: string, name: string): string {
  const hex = sha256(`bailiwick/evidence/oscal\0${seed}\0${name}`);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

interface Said {
  readonly control: Control;
  readonly words: string;
  /** Undefined: nothing of the kind happened. */
  readonly isSatisfied: boolean | undefined;
}

function listSaid({
  figures,
  charter,
  origin,
  size,
  root,
  receiptsCount,
}: AssessmentSource): readonly Said[] {
  const { keys, erasures, decisions } = figures;
  const hasRevoked = keys.disabled > 0;
  const isBounded = (keys.revokeMsMax ?? 0) <= REVOKE_MS_MAX && keys.unfinished === 0;
  return [
    {
      control: 'ac-4',
      words: `${decisions.allowed} flows were allowed and ${decisions.denied} denied; ${charter.properties} properties of the charter ${charter.name} (${charter.hash}) ${charter.holds ? 'hold for every flow that it can express' : 'do not all hold'}.`,
      isSatisfied: charter.properties === 0 ? undefined : charter.holds,
    },
    {
      control: 'au-9',
      words: `The log ${origin} has ${size} entries under the root ${root}; every body in this pack is what its leaf commits to.`,
      isSatisfied: true,
    },
    {
      control: 'au-10',
      words: `${figures.entries.count} entries of the tenant, from ${figures.entries.first} to ${figures.entries.last}, each with its actor under the same root.`,
      isSatisfied: true,
    },
    {
      control: 'sc-12',
      words: hasRevoked
        ? `${keys.disabled} disablings, the longest effective after ${keys.revokeMsMax ?? 'unknown'} ms; ${keys.unfinished} not on record as effective.`
        : 'No customer key was disabled.',
      isSatisfied: hasRevoked ? isBounded : undefined,
    },
    {
      control: 'mp-6',
      words: `${erasures.asked} erasures were asked for, ${erasures.done} are done, ${erasures.unfinished.length} are not; ${receiptsCount} receipts are in this pack.`,
      isSatisfied: erasures.asked === 0 ? undefined : erasures.unfinished.length === 0,
    },
  ];
}

function toObservation(source: AssessmentSource, { control, words }: Said): object {
  return {
    uuid: toId(source.seed, `observation ${control}`),
    title: CONTROLS[control],
    description: words,
    methods: ['EXAMINE'],
    types: ['control-objective'],
    collected: source.at,
  };
}

function toFinding(source: AssessmentSource, { control, words, isSatisfied }: Said): object {
  return {
    uuid: toId(source.seed, `finding ${control}`),
    title: `${control.toUpperCase()}: ${CONTROLS[control]}`,
    description: words,
    target: {
      type: 'objective-id',
      'target-id': `${control}_obj`,
      status: { state: isSatisfied === true ? 'satisfied' : 'not-satisfied' },
    },
    'related-observations': [{ 'observation-uuid': toId(source.seed, `observation ${control}`) }],
  };
}

/** The document; JSON, in one order. */
export function toAssessmentResults(source: AssessmentSource): object {
  const { seed, at, cell, tenant } = source;
  const said = listSaid(source);
  const party = toId(seed, 'party');
  const planned = toId(seed, 'plan');
  return {
    'assessment-results': {
      uuid: toId(seed, 'results'),
      metadata: {
        title: `Evidence of cell ${cell}`,
        'last-modified': at,
        version: seed.slice(0, 16),
        'oscal-version': OSCAL_VERSION,
        roles: [{ id: 'assessor', title: 'Whoever verifies the pack' }],
        parties: [{ uuid: party, type: 'organization', name: `tenant ${tenant}` }],
        remarks:
          'Written from the entries of this pack; `bailiwick evidence verify` writes it again and compares.',
      },
      'import-ap': {
        href: `#${planned}`,
        remarks: 'There is no plan beside what the README says.',
      },
      results: [
        {
          uuid: toId(seed, 'result'),
          title: 'What the entries show',
          description: 'Counted from the tenant’s own entries, each proven to be in the log.',
          start: source.figures.entries.first || at,
          end: at,
          'reviewed-controls': {
            'control-selections': [
              { 'include-controls': said.map(({ control }) => ({ 'control-id': control })) },
            ],
          },
          observations: said.map((one) => toObservation(source, one)),
          findings: said
            .filter(({ isSatisfied }) => isSatisfied !== undefined)
            .map((one) => toFinding(source, one)),
        },
      ],
      'back-matter': {
        resources: [
          {
            uuid: planned,
            title: 'How this pack is checked',
            rlinks: [{ href: 'README.md', 'media-type': 'text/markdown' }],
          },
        ],
      },
    },
  };
}
