// SPDX-License-Identifier: Apache-2.0
// How a law's instruments are written as rows: the citation is the law's and the row's article.
import type { TransferInstrument, TransferInstrumentKind } from '../row.ts';

/** [id, kind, article, name, what it requires, first day where later than the law's]. */
export type InstrumentRow = readonly [
  id: string,
  kind: TransferInstrumentKind,
  article: string,
  name: string,
  requires: string,
  from?: string,
];

/** The rows of one law as instruments of one regime. */
export function toInstruments(
  law: {
    readonly regime: string;
    readonly source: string;
    readonly from: string;
    readonly evidence: { readonly asOf: string; readonly confirmed: boolean };
  },
  rows: readonly InstrumentRow[],
): readonly TransferInstrument[] {
  return rows.map(([id, kind, article, name, requires, from]) => ({
    id,
    regime: law.regime,
    name,
    kind,
    article,
    requires,
    from: from ?? law.from,
    source: `${law.source}, ${article}`,
    ...law.evidence,
  }));
}
