// SPDX-License-Identifier: Apache-2.0
// Holds what a charter says about the law against the atlas: does the regime exist on that date, does it
// recognise the instrument, has the charter outlived a mechanism's own end.
import {
  findRegime,
  findTransferInstrument,
  listRegimes,
  transferInstruments,
} from '@bailiwick/atlas';
import type { CharterDocument } from './document.ts';
import { type Report, toPointerStep } from './shape.ts';
import { findNearest } from './suggest.ts';

function checkRegime(id: string, pointer: string, onDate: string, report: Report): void {
  const regime = findRegime(id);
  const isInForce =
    regime !== undefined &&
    regime.from <= onDate &&
    (regime.until === undefined || onDate <= regime.until);
  if (isInForce) return;
  const suggestion = regime
    ? undefined
    : findNearest(
        id,
        listRegimes().map((item) => item.id),
      );
  report({
    code: 'CHARTER_NAME_UNKNOWN',
    message: regime
      ? `\`${id}\` is not in force on ${onDate}`
      : `\`${id}\` is no regime of the atlas${suggestion ? `: did you mean \`${suggestion}\`?` : ''}`,
    pointer,
    expected: 'a regime in force such as `gdpr`',
    ...(suggestion === undefined ? {} : { suggestion }),
  });
}

/** Reports regimes that the atlas does not know, or that are not in force on the charter's date. */
export function checkRegimes(document: CharterDocument, report: Report): void {
  const onDate = document.atlas;
  const check = (regimes: readonly string[], pointer: string): void => {
    for (const [index, id] of regimes.entries()) {
      checkRegime(id, `${pointer}/${index}`, onDate, report);
    }
  };
  for (const [key, home] of Object.entries(document.homes)) {
    check(home.regimes, `/homes${toPointerStep(key)}/regimes`);
  }
  if (document.otherwise) check(document.otherwise.regimes, '/otherwise/regimes');
  for (const key of Object.keys(document.regimes ?? {})) {
    checkRegime(key, `/regimes${toPointerStep(key)}`, onDate, report);
  }
}

/** Reports mechanisms that their regime does not recognise, and those that have ended already. */
export function checkMechanisms(document: CharterDocument, report: Report): void {
  const onDate = document.atlas;
  for (const [id, clause] of Object.entries(document.mechanisms ?? {})) {
    const pointer = `/mechanisms${toPointerStep(id)}`;
    if (clause.until !== undefined && clause.until <= onDate) {
      report({
        code: 'CHARTER_MECHANISM_EXPIRED',
        message: `\`${id}\` ended on ${clause.until}, before the date of this charter's atlas`,
        pointer: `${pointer}/until`,
        expected: 'a later day, or no such mechanism',
      });
    }
    for (const [regime, instrument] of Object.entries(clause.under)) {
      const at = `${pointer}/under${toPointerStep(regime)}`;
      if (!findRegime(regime)) {
        checkRegime(regime, at, onDate, report);
        continue;
      }
      const recognised = transferInstruments(regime, onDate).map((item) => item.id);
      if (recognised.includes(instrument)) continue;
      const suggestion = findNearest(instrument, recognised);
      const elsewhere = findTransferInstrument(instrument);
      report({
        code: 'CHARTER_MECHANISM_UNRECOGNISED',
        message: `\`${regime}\` does not recognise \`${instrument}\`${elsewhere && elsewhere.regime !== regime ? `, which belongs to \`${elsewhere.regime}\`` : ''}`,
        pointer: at,
        expected: `one of ${recognised.map((item) => `\`${item}\``).join(', ') || 'nothing: this regime has no instrument'}`,
        ...(suggestion === undefined ? {} : { suggestion }),
      });
    }
  }
}
