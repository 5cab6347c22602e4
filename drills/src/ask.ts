// SPDX-License-Identifier: Apache-2.0
// What several drills ask of a system.
import { setTimeout as wait } from 'node:timers/promises';
import type { Answer, Cell } from '@bailiwick/sdk';
import type { DrillStage } from 'bailiwick/drill-stage';

const POLL_MS = 200;
const SEARCH = '/v1/collections/customers/searches';
const CALL_MS = 3_000;

/** A page of customers, or the problem. */
export interface Page {
  readonly items: readonly {
    readonly recordId: string;
    readonly fields: Readonly<Record<string, unknown>>;
  }[];
}

/** One page of a tenant's customers in a cell. */
export function readCustomers(cell: Cell, deadlineMs: number = CALL_MS): Promise<Answer<Page>> {
  return cell.call<Page>({ method: 'POST', path: SEARCH, body: { pageSize: 50 } }, { deadlineMs });
}

/** Customers whose e-mail address is this one. */
export function findCustomer(cell: Cell, email: string): Promise<Answer<Page>> {
  const body = { where: { email: { eq: email } } };
  return cell.call<Page>({ method: 'POST', path: SEARCH, body }, { deadlineMs: CALL_MS });
}

/** Writes a customer. */
export function writeCustomer(
  cell: Cell,
  id: string,
  email = `${id}@drill.example`,
): Promise<Answer<unknown>> {
  const body = {
    ...{ id, subject: id, origin: 'de' },
    fields: { name: `Name of ${id}`, email, country: 'de' },
  };
  const path = '/v1/collections/customers/records';
  return cell.call({ method: 'POST', path, body }, { deadlineMs: CALL_MS });
}

/** What an answer was, in a word. */
export function toWord(answer: Answer<unknown>): string {
  return answer.ok ? 'allowed' : `${answer.problem.status} ${answer.problem.code}`;
}

/** As `toWord`; where there is no answer at all, that. */
export async function wordOf(asked: Promise<Answer<unknown>>): Promise<string> {
  try {
    return toWord(await asked);
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'no answer';
  }
}

/** Asks until it is so; the last word and how long it took. */
export async function until(
  ask: () => Promise<string>,
  isSo: (word: string) => boolean,
  timeoutMs: number,
): Promise<{ readonly word: string; readonly ms: number; readonly isSo: boolean }> {
  const startedMs = performance.now();
  for (;;) {
    const word = await ask();
    const ms = Math.round(performance.now() - startedMs);
    if (isSo(word)) return { word, ms, isSo: true };
    if (ms > timeoutMs) return { word, ms, isSo: false };
    await wait(POLL_MS);
  }
}

/** Whoever must not notice: the neighbour in the same cell, and the retailer's other cells. */
export async function othersGoOn(
  stage: DrillStage,
  options: { readonly except?: string } = {},
): Promise<readonly string[]> {
  const stopped: string[] = [];
  for (const { residency } of stage.layout.cells) {
    if (residency === options.except) continue;
    const word = await wordOf(readCustomers(await stage.actors.in(residency, 'shop-service')));
    if (word !== 'allowed') stopped.push(`${residency}: ${word}`);
  }
  return stopped;
}
