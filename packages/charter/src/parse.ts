// SPDX-License-Identifier: Apache-2.0
// From text to a document that is known to be valid: YAML, shape, meaning, in this order; a later step
// runs only when the one before found nothing, so that one mistake does not drown in others.

import { isWithinBox, toBoxKey } from './box.ts';
import type { CharterDocument } from './document.ts';
import { CharterError, type CharterProblem } from './errors.ts';
import { CHARTER_FILE_COUNT_MAX, PROBLEM_COUNT_MAX } from './limits.ts';
import { type Position, readYaml, type YamlReading } from './read.ts';
import type { Resolved } from './resolve.ts';
import { areApart, resolveCharter } from './resolve.ts';
import { CHARTER_SCHEMA } from './schema.ts';
import { checkShape, type Report, toPointerStep } from './shape.ts';
import { insertVariables, type Moved, type VariableValues } from './variables.ts';

export interface ParseOptions {
  readonly fileName?: string;
  /** Reads a file that the charter includes; paths are as written. May throw. */
  readonly include?: (path: string) => string;
  /** What the charter's variables stand for in this environment. */
  readonly variables?: VariableValues;
}

interface Located {
  readonly position: Position;
  readonly file: string | undefined;
}

class Reader {
  readonly problems: CharterProblem[] = [];
  readonly #options: ParseOptions;
  /** Top-level sections that came from another file, with where their parts stand there. */
  readonly #sources: {
    readonly from: string;
    readonly to: string;
    readonly file: string;
    readonly reading: YamlReading;
  }[] = [];
  #main: YamlReading | undefined;
  /** Values that stand elsewhere than in the text, longest first: variables have put in lists. */
  #moved: readonly Moved[] = [];

  constructor(options: ParseOptions) {
    this.#options = options;
  }

  locate(place: string): Located {
    const move = this.#moved.find(({ to }) => place === to || place.startsWith(`${to}/`));
    const pointer = move === undefined ? place : move.from + place.slice(move.to.length);
    const source = this.#sources.find(
      ({ from }) => pointer === from || pointer.startsWith(`${from}/`),
    );
    if (source) {
      return {
        position: source.reading.locate(source.to + pointer.slice(source.from.length)),
        file: source.file,
      };
    }
    return {
      position: this.#main?.locate(pointer) ?? { line: 1, column: 1 },
      file: this.#options.fileName,
    };
  }

  readonly report: Report = (problem) => {
    if (this.problems.length >= PROBLEM_COUNT_MAX) return;
    const { position, file } = this.locate(problem.pointer);
    this.problems.push({ ...problem, ...position, ...(file === undefined ? {} : { file }) });
  };

  stopOnProblems(): void {
    const [first] = this.problems;
    if (!first) return;
    const where = `${first.file ?? 'charter'}:${first.line}:${first.column}`;
    const others = this.problems.length > 1 ? ` (and ${this.problems.length - 1} more)` : '';
    throw new CharterError('CHARTER_DOCUMENT_INVALID', `${where}: ${first.message}${others}`, {
      problems: this.problems,
    });
  }

  #readOne(text: string, file: string | undefined): YamlReading {
    const reading = readYaml(text);
    for (const problem of reading.problems.slice(0, PROBLEM_COUNT_MAX)) {
      this.problems.push({ ...problem, ...(file === undefined ? {} : { file }) });
    }
    this.stopOnProblems();
    return reading;
  }

  /** Adds the sections of an included file. Includes do not nest: a charter stays one page with parts. */
  #include(document: Record<string, unknown>, path: string, pointer: string): void {
    const { include } = this.#options;
    let text: string;
    try {
      if (!include) throw new Error('no files beside this one');
      text = include(path);
    } catch {
      this.report({
        code: 'CHARTER_INCLUDE_INVALID',
        message: `\`${path}\` cannot be read`,
        pointer,
        expected: 'a file beside the charter',
      });
      return;
    }
    const reading = this.#readOne(text, path);
    for (const [section, value] of Object.entries(asObject(reading.value) ?? {})) {
      const from = `/${section}`;
      const own = document[section];
      const refuse = (message: string): void =>
        this.report({
          code: 'CHARTER_INCLUDE_INVALID',
          message,
          pointer,
          expected: 'sections that are lists or maps',
        });
      if (section === 'include') {
        // No file includes another: there is nothing to go round in.
        refuse(`\`${path}\` includes files itself`);
        continue;
      }
      if (Array.isArray(value) && (own === undefined || Array.isArray(own))) {
        const list: unknown[] = own ?? [];
        value.forEach((item, index) => {
          this.#sources.push({
            from: `${from}/${list.length}`,
            to: `${from}/${index}`,
            file: path,
            reading,
          });
          list.push(item);
        });
        document[section] = list;
        continue;
      }
      const parts = asObject(value);
      if (!parts || section === 'otherwise' || (own !== undefined && !asObject(own))) {
        refuse(`\`${path}\` sets \`${section}\`, which belongs into the charter itself`);
        continue;
      }
      const target = asObject(own) ?? {};
      for (const [key, part] of Object.entries(parts)) {
        const at = from + toPointerStep(key);
        if (Object.hasOwn(target, key)) {
          this.report({
            code: 'CHARTER_KEY_DUPLICATE',
            message: `\`${key}\` of \`${path}\` stands in \`${section}\` already`,
            pointer: at,
            expected: 'each key once',
          });
          continue;
        }
        this.#sources.push({ from: at, to: at, file: path, reading });
        target[key] = part;
      }
      document[section] = target;
    }
  }

  read(text: string): unknown {
    this.#main = this.#readOne(text, this.#options.fileName);
    const document = asObject(this.#main.value);
    const paths = document?.['include'];
    if (document && Array.isArray(paths)) {
      paths.slice(0, CHARTER_FILE_COUNT_MAX - 1).forEach((path, index) => {
        if (typeof path === 'string') this.#include(document, path, `/include/${index}`);
      });
    }
    this.stopOnProblems();
    if (document) {
      const { variables = {} } = this.#options;
      const moved = insertVariables(document, variables, this.report);
      this.stopOnProblems();
      this.#moved = [...moved].sort((a, b) => b.to.length - a.to.length);
    }
    return this.#main.value;
  }
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

/** The document without what has done its work: a charter that is written out whole has the same hash. */
function toWhole(document: CharterDocument & Record<string, unknown>): CharterDocument {
  delete document['include'];
  delete document['variables'];
  return document;
}

/** Rules that say the same twice, and rules that can never have their way. */
function checkOverlaps({ rules, variants }: Resolved, report: Report): void {
  const boxesOf = rules.map((_, index) =>
    variants.filter((variant) => variant.rule === index).map((variant) => variant.box),
  );
  const keys = new Map<string, string>();
  const forbids = variants.filter((variant) => rules[variant.rule]?.effect === 'forbid');
  rules.forEach((rule, index) => {
    const boxes = boxesOf[index] ?? [];
    const key = `${rule.effect}:${boxes.map(toBoxKey).sort().join(';')}`;
    const twin = keys.get(key);
    if (twin !== undefined)
      report({
        code: 'CHARTER_RULE_OVERLAPPING',
        message: `\`${rule.id}\` speaks of exactly the same flows as \`${twin}\``,
        pointer: rule.pointer,
        expected: 'one rule, or conditions that differ',
      });
    keys.set(key, rule.id);
    if (rule.effect === 'forbid' || boxes.length === 0) return;
    const killers = boxes.map((box) =>
      forbids.find((forbid) => !areApart(box, forbid.box) && isWithinBox(box, forbid.box)),
    );
    if (killers.every((killer) => killer !== undefined)) {
      const killer = rules[killers[0]?.rule ?? 0];
      report({
        code: 'CHARTER_RULE_DEAD',
        message: `\`${rule.id}\` can never allow anything: \`${killer?.id}\` forbids all of it`,
        pointer: rule.pointer,
        expected: 'a flow that nothing forbids',
      });
    }
  });
}

/**
 * Reads a charter. The text is untrusted: it is bounded, and everything that is wrong is listed with its
 * line, column, pointer, what was expected and the nearest valid name.
 *
 * @throws {CharterError} `CHARTER_DOCUMENT_INVALID` with `problems`
 */
export function parseCharter(text: string, options: ParseOptions = {}): CharterDocument {
  const reader = new Reader(options);
  const value = reader.read(text);
  checkShape(CHARTER_SCHEMA, value, '', reader.report);
  reader.stopOnProblems();
  const document = toWhole(value as CharterDocument & Record<string, unknown>);
  const resolved = resolveCharter(document, reader.report);
  reader.stopOnProblems();
  checkOverlaps(resolved, reader.report);
  reader.stopOnProblems();
  return document;
}
