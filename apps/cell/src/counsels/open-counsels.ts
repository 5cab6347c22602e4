// SPDX-License-Identifier: Apache-2.0
// The counsels of a cell, as its configuration names them: policies in Cedar, OPA servers. A counsel that
// cannot be set up keeps the cell from starting: one that is silently missing would have agreed to everything.
import { CedarError, createCedarCounsel } from '@bailiwick/cedar';
import type { CellConfig, CounselConfig } from '@bailiwick/contracts';
import type { Clock } from '@bailiwick/kernel';
import { OpaError, openOpaCounsel } from '@bailiwick/opa';
import type { Counsel } from '@bailiwick/policy';
import { readSecretFile } from '../config.ts';
import { CellError } from '../errors.ts';

const TIMEOUT_MS_DEFAULT = 50;

/** Opens all counsels. @throws {CellError} `CELL_CONFIG_INVALID` */
export async function openCounsels(
  { counsels = [] }: Pick<CellConfig, 'counsels'>,
  clock: Clock,
): Promise<readonly Counsel[]> {
  const names = new Set(counsels.map(({ name }) => name));
  if (names.size < counsels.length) {
    throw new CellError('CELL_CONFIG_INVALID', 'two counsels have one name');
  }
  return await Promise.all(counsels.map((config) => open(config, clock)));
}

async function open(config: CounselConfig, clock: Clock): Promise<Counsel> {
  try {
    if (config.kind === 'cedar') {
      return createCedarCounsel({ name: config.name, policies: readSecretFile(config.file) });
    }
    const { name, url, path, timeoutMs = TIMEOUT_MS_DEFAULT, tokenFile, caFile } = config;
    return await openOpaCounsel({
      ...{ name, url, path, timeoutMs },
      ...(config.answerForMs === undefined ? {} : { answerForMs: config.answerForMs }),
      ...(tokenFile === undefined ? {} : { token: readSecretFile(tokenFile) }),
      ...(caFile === undefined ? {} : { ca: readSecretFile(caFile) }),
      monotonicMs: () => clock.monotonicMs(),
    });
  } catch (cause) {
    if (!(cause instanceof CedarError) && !(cause instanceof OpaError)) throw cause;
    throw new CellError('CELL_CONFIG_INVALID', `counsel \`${config.name}\`: ${cause.message}`, {
      cause,
    });
  }
}
