// SPDX-License-Identifier: Apache-2.0
// `bailiwick atlas`: knowledge with its source and date, not advice.
import {
  adequacyDecisions,
  findJurisdiction,
  listMemberships,
  regimesOf,
  transferInstruments,
} from '@bailiwick/atlas';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { toTable } from '../output.ts';
import { argument } from './input.ts';
import type { Input } from './run.ts';

const DISCLAIMER = 'Knowledge with its sources, not legal advice.';

/** A jurisdiction by id or name. @throws {CliError} `CLI_USAGE_WRONG` */
function getPlace(text: string): NonNullable<ReturnType<typeof findJurisdiction>> {
  const found = findJurisdiction(text);
  if (found !== undefined) return found;
  throw new CliError('CLI_USAGE_WRONG', `the atlas knows no jurisdiction \`${text}\``, {
    hint: 'use an id such as `de`, `us-ca` or `eu`, or an English name',
  });
}

function toDay(options: Input['options']): string {
  const stated: unknown = options['date'];
  return typeof stated === 'string' ? stated : new Date().toISOString().slice(0, 10);
}

/** Runs `bailiwick atlas show <jurisdiction>`. */
export async function runAtlasShow({ output }: Context, input: Input): Promise<void> {
  const place = getPlace(argument(input.args, 0));
  const onDate = toDay(input.options);
  const regimes = regimesOf(place.id, onDate);
  const memberships = listMemberships(place.id);
  const value = { v: 1, onDate, jurisdiction: place, memberships, regimes };
  output.result(value, () =>
    [
      `${output.paint('bold', place.name)} (${place.id}), ${place.kind}`,
      ...(place.aliases.length === 0 ? [] : [`also: ${place.aliases.join(', ')}`]),
      ...(place.partOf.length === 0 ? [] : [`part of: ${place.partOf.join(', ')}`]),
      `source: ${place.source} (as of ${place.asOf}${place.confirmed ? '' : ', not confirmed'})`,
      '',
      ...regimes.map((regime) => `${regime.id}: ${regime.name}\n  ${regime.instrument}`),
      '',
      DISCLAIMER,
    ].join('\n'),
  );
}

/** Runs `bailiwick atlas transfers --from <jurisdiction> --to <jurisdiction>`. */
export async function runAtlasTransfers({ output }: Context, { options }: Input): Promise<void> {
  const from = getPlace(String(options['from']));
  const to = getPlace(String(options['to']));
  const onDate = toDay(options);
  const adequacy = adequacyDecisions({ by: from.id, to: to.id, onDate });
  const regimes = regimesOf(from.id, onDate);
  const instruments = regimes.flatMap((regime) => transferInstruments(regime.id, onDate));
  const value = { v: 1, onDate, from: from.id, to: to.id, adequacy, instruments };
  output.result(value, () =>
    [
      `${from.name} to ${to.name} on ${onDate}`,
      '',
      ...(adequacy.length === 0
        ? ['no adequacy decision']
        : adequacy.map(
            (one) =>
              `adequacy: ${one.instrument}\n  ${one.scope}${one.until === undefined ? '' : ` (until ${one.until})`}\n  ${one.source}`,
          )),
      '',
      ...(instruments.length === 0
        ? []
        : [
            toTable(
              ['instrument', 'regime', 'kind', 'article'],
              instruments.map((one) => [one.id, one.regime, one.kind, one.article]),
            ),
            '',
          ]),
      DISCLAIMER,
    ].join('\n'),
  );
}
