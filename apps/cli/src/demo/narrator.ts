// SPDX-License-Identifier: Apache-2.0
// Tells the story in the terminal: each request and its answer, shortened; each claim checked. A claim
// that does not hold ends the story with an error: it never tells what did not happen.
import process from 'node:process';
import type { Answer, Call, CallOptions, Cell } from '@bailiwick/sdk';
import { CliError } from '../errors.ts';
import type { Output } from '../output.ts';

const WIDTH = 150;

/** What was asked and what came back. */
export interface Exchange<T> {
  readonly cell: Cell;
  readonly call: Pick<Call, 'method' | 'path' | 'body'>;
  readonly options?: CallOptions;
  /** Picks what is shown of the answer. */
  readonly show?: (value: T) => unknown;
}

export interface Narrator {
  step(title: string): void;
  say(line: string): void;
  /** Sends a request, shows it with its answer, gives the answer. */
  ask<T>(exchange: Exchange<T>): Promise<Answer<T>>;
  /** Shows what another program did. */
  run(command: string, answer: string): void;
  /** Ends the story unless this holds. */
  claim(isTrue: boolean, whatHolds: string): void;
  /** As `claim`, without a line when it holds: for what is looked at again and again. */
  insist(isTrue: boolean, whatHolds: string): void;
  /** Ends the story unless there is a value; gives it. */
  demand<T>(value: T | undefined, whatHolds: string): T;
  /** What was told, for `--json`. */
  readonly steps: readonly { readonly title: string; readonly claims: readonly string[] }[];
}

/** Makes a narrator; with `--json` it keeps quiet until the end. */
export function createNarrator({ isJson, paint }: Output): Narrator {
  const steps: { title: string; claims: string[] }[] = [];
  const write = (line: string): void => {
    if (!isJson) process.stdout.write(`${line}\n`);
  };
  const insist = (isTrue: boolean, whatHolds: string): void => {
    if (isTrue) return;
    throw new CliError(
      'CLI_STORY_BROKEN',
      `step ${steps.length} did not do what it says: ${whatHolds}`,
    );
  };
  const claim = (isTrue: boolean, whatHolds: string): void => {
    insist(isTrue, whatHolds);
    steps.at(-1)?.claims.push(whatHolds);
    write(`   ${paint('green', 'ok')} ${whatHolds}`);
  };
  return {
    steps,
    step(title) {
      steps.push({ title, claims: [] });
      write(`\n${paint('bold', `${steps.length}. ${title}`)}`);
    },
    say: (line) => write(`   ${line}`),
    run(command, answer) {
      write(`   ${paint('cyan', '$')} ${command}`);
      for (const line of answer.split('\n')) write(`     ${line}`);
    },
    async ask<T>({ cell, call, options, show }: Exchange<T>) {
      const body = call.body === undefined ? '' : ` ${toShort(call.body)}`;
      write(`   ${paint('cyan', '>')} ${call.method} https://${cell.name}${call.path}${body}`);
      const answer = await cell.call<T>(call, options);
      const shown = answer.ok
        ? (show ?? ((value: T): unknown => value))(answer.value)
        : toProblem(answer.problem);
      write(`   ${paint('cyan', '<')} ${answer.meta.status} ${toShort(shown)}`);
      return answer;
    },
    claim,
    insist,
    demand<T>(value: T | undefined, whatHolds: string): T {
      claim(value !== undefined, whatHolds);
      if (value === undefined) throw new Error('assertion failed: a claim that fails throws');
      return value;
    },
  };
}

function toProblem(problem: object): unknown {
  const { code, detail, rules } = { code: '', detail: '', rules: undefined, ...problem };
  return { code, detail, ...(rules === undefined ? {} : { rules }) };
}

function toShort(value: unknown): string {
  const text = JSON.stringify(value) ?? '';
  return text.length <= WIDTH ? text : `${text.slice(0, WIDTH - 1)}…`;
}
