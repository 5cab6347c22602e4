// SPDX-License-Identifier: Apache-2.0
// Labelling: from the country where something was collected to its home and its regimes, by the charter
// in force. What has its home elsewhere, or nowhere, does not come in (invariant 1).
import { findOrigin, homeOf, suggestOrigin } from '@bailiwick/charter';
import type { CellId, Residency } from '@bailiwick/kernel';
import type { LawInForce } from '../services.ts';
import { RecordError, type RecordErrorCode } from './errors.ts';

/** Where data of one origin belongs, when that is here. */
export interface HomeLabel {
  readonly origin: string;
  readonly residency: Residency;
  readonly regimes: readonly string[];
}

/** Why data of an origin does not belong here. */
export interface HomeRefused {
  readonly code: RecordErrorCode;
  readonly detail: string;
  readonly homeCell?: CellId;
}

export type Labelled =
  | { readonly label: HomeLabel; readonly refused?: undefined }
  | { readonly label?: undefined; readonly refused: HomeRefused };

const ORIGINS_COUNT_MAX = 1024;

/** Finds homes by the names that callers use; remembers them for as long as the charter holds. */
export class Labeller {
  readonly #cellId: CellId;
  readonly #law: LawInForce;
  readonly #known = new Map<string, Labelled>();

  constructor(cellId: CellId, law: LawInForce) {
    this.#cellId = cellId;
    this.#law = law;
  }

  /** `originText` is the caller's; refusals do not repeat it. */
  label(originText: string): Labelled {
    const known = this.#known.get(originText);
    if (known) return known;
    const found = this.#find(originText);
    if (this.#known.size < ORIGINS_COUNT_MAX) this.#known.set(originText, found);
    return found;
  }

  #find(originText: string): Labelled {
    const { charter } = this.#law;
    const origin = findOrigin(charter, originText);
    if (origin === undefined) {
      const meant = suggestOrigin(charter, originText);
      const hint = meant === undefined ? '' : `; did you mean \`${meant}\`?`;
      const detail = `the charter and the atlas know no country of this name${hint}`;
      return { refused: { code: 'RECORD_HOME_ABSENT', detail } };
    }
    const home = homeOf(charter, origin);
    if (!home.ok) {
      const detail = `\`${origin}\` has no home: ${home.because}`;
      return { refused: { code: 'RECORD_HOME_ABSENT', detail } };
    }
    if (home.cellId !== this.#cellId) {
      const detail = `the home of \`${origin}\` is \`${home.cellId}\`: ${home.because}`;
      return { refused: { code: 'RECORD_HOME_ELSEWHERE', detail, homeCell: home.cellId } };
    }
    return { label: { origin, residency: home.residency, regimes: home.regimes } };
  }
}

const labellers = new WeakMap<LawInForce, Labeller>();

/** The labeller of the law in force. */
export function labellerOf(cellId: CellId, law: LawInForce): Labeller {
  const existing = labellers.get(law);
  if (existing) return existing;
  const labeller = new Labeller(cellId, law);
  labellers.set(law, labeller);
  return labeller;
}

/** The refusal as an error. */
export function toHomeError({ code, detail, homeCell }: HomeRefused): RecordError {
  return new RecordError(code, detail, { details: { homeCell } });
}
