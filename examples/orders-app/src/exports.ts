// SPDX-License-Identifier: Apache-2.0
// Before anything leaves: ask. The application knows what it wants to send; the charter knows whether.
import { type Cell, unwrap, type WireFlow } from '@bailiwick/sdk';

export interface ExportWish {
  /** A cell, such as `us-va/main`. */
  readonly to: string;
  readonly purpose: string;
}

export type ExportAnswer =
  | { readonly isAllowed: true }
  | {
      readonly isAllowed: false;
      readonly reasons: readonly { readonly because: string; readonly source: string }[];
      readonly nearest: readonly string[];
    };

const PLACES: Readonly<Record<string, { readonly location: string; readonly operator: string }>> = {
  'eu-de/main': { location: 'de', operator: 'de' },
  'uk-lon/main': { location: 'uk', operator: 'uk' },
  'us-va/main': { location: 'us-va', operator: 'us' },
  'au-syd/main': { location: 'au', operator: 'au' },
};

/** Asks whether the customers' contact data may go there for that. */
export async function decideExport(cell: Cell, wish: ExportWish): Promise<ExportAnswer> {
  const place = PLACES[wish.to] ?? { location: 'unknown', operator: 'unknown' };
  const flow: WireFlow = {
    actor: {
      kind: 'workload',
      role: 'shop-service',
      employer: 'controller',
      assurance: 'high',
      place: 'de',
    },
    action: 'export',
    data: {
      class: 'restricted',
      categories: ['contact'],
      regimes: ['gdpr'],
      origin: 'de',
      residency: 'eu-de',
    },
    form: 'plain',
    to: { kind: 'cell', id: wish.to, ...place },
    purpose: wish.purpose,
  };
  const [decision] = unwrap(await cell.decide([flow])).items;
  if (decision?.outcome === 'allow') return { isAllowed: true };
  return {
    isAllowed: false,
    reasons: (decision?.reasons ?? []).map(({ because, source }) => ({ because, source })),
    nearest: (decision?.nearest ?? []).map(({ words }) => words),
  };
}
