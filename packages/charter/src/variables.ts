// SPDX-License-Identifier: Apache-2.0
// Variables: what differs between environments, declared in the charter and put in before anything is
// checked. `${name}` stands for a value, or within a text for a part of it; a list goes into a list item by
// item. Keys hold no variables, values hold no variables of their own, and every insertion is counted.
import { VARIABLE_INSERTIONS_COUNT_MAX } from './limits.ts';
import { type Report, toPointerStep } from './shape.ts';
import { findNearest } from './suggest.ts';

/** What a variable can stand for. */
export type VariableValue = string | number | readonly string[];

/** Values by name, as an environment gives them. */
export type VariableValues = Readonly<Record<string, VariableValue>>;

/** A declaration as it is written. */
export interface VariableClause {
  readonly means: string;
  /** What it stands for where an environment says nothing; absent: it must say. */
  readonly default?: VariableValue;
}

/** Where a value stands now, and where it stood in the text. */
export interface Moved {
  readonly to: string;
  readonly from: string;
}

const REFERENCE = /\$(\$?)\{([^{}]*)\}/g;
const WHOLE = /^\$\{([^{}$]*)\}$/;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isValue(value: unknown): value is VariableValue {
  if (Array.isArray(value)) return value.every((item) => typeof item === 'string');
  return typeof value === 'string' || Number.isInteger(value);
}

const holdsReference = (value: VariableValue): boolean =>
  [value].flat().some((item) => String(item).includes('${'));

/** Values that hold for a document: given, or else the declared defaults. Reports what does not fit. */
function collect(
  declared: Record<string, unknown>,
  given: VariableValues,
  report: Report,
): ReadonlyMap<string, VariableValue> {
  const values = new Map<string, VariableValue>();
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(declared, name)) continue;
    const suggestion = findNearest(name, Object.keys(declared));
    report({
      code: 'CHARTER_VARIABLE_UNKNOWN',
      message: `a value is given for \`${name.slice(0, 80)}\`, which the charter does not declare`,
      pointer: '/variables',
      expected: 'a name under `variables`',
      ...(suggestion === undefined ? {} : { suggestion }),
    });
  }
  for (const [name, clause] of Object.entries(declared)) {
    const pointer = `/variables${toPointerStep(name)}`;
    const stated = isObject(clause) ? clause['default'] : undefined;
    const value = Object.hasOwn(given, name) ? given[name] : stated;
    if (value === undefined) {
      report({
        code: 'CHARTER_VARIABLE_UNSET',
        message: `\`${name.slice(0, 80)}\` has no default, and no value is given`,
        pointer,
        expected: `a value: \`--set ${name.slice(0, 80)}=…\``,
      });
    } else if (!isValue(value) || holdsReference(value)) {
      report({
        code: 'CHARTER_VARIABLE_INVALID',
        message: `the value of \`${name.slice(0, 80)}\` cannot stand for anything`,
        pointer,
        expected: 'a text, a whole number or a list of texts, without variables of its own',
      });
    } else values.set(name, value);
  }
  return values;
}

class Inserter {
  readonly moved: Moved[] = [];
  readonly #declared: readonly string[];
  readonly #values: ReadonlyMap<string, VariableValue>;
  readonly #report: Report;
  #count = 0;
  #isTold = false;

  constructor(
    declared: readonly string[],
    values: ReadonlyMap<string, VariableValue>,
    report: Report,
  ) {
    this.#declared = declared;
    this.#values = values;
    this.#report = report;
  }

  /** What a name stands for; reports one that stands for nothing, and an insertion too many. */
  #find(name: string, pointer: string): VariableValue | undefined {
    this.#count += 1;
    if (this.#count > VARIABLE_INSERTIONS_COUNT_MAX) {
      if (!this.#isTold) {
        this.#isTold = true;
        this.#report({
          code: 'CHARTER_VARIABLE_INVALID',
          message: 'variables are put in too often',
          pointer,
          expected: `at most ${VARIABLE_INSERTIONS_COUNT_MAX} places`,
        });
      }
      return undefined;
    }
    const value = this.#values.get(name);
    if (value !== undefined || this.#declared.includes(name)) return value;
    const suggestion = findNearest(name, this.#declared);
    this.#report({
      code: 'CHARTER_VARIABLE_UNKNOWN',
      message: `\`${name.slice(0, 80)}\` is no variable of this charter`,
      pointer,
      expected: 'a name under `variables`; `$${` for the characters themselves',
      ...(suggestion === undefined ? {} : { suggestion }),
    });
    return undefined;
  }

  #intoText(text: string, pointer: string): unknown {
    if (!text.includes('${')) return text;
    const [, name] = WHOLE.exec(text) ?? [];
    if (name !== undefined) return this.#find(name, pointer) ?? text;
    return text.replaceAll(REFERENCE, (found, dollar: string, part: string) => {
      if (dollar !== '') return found.slice(1);
      const value = this.#find(part, pointer);
      if (value === undefined) return found;
      if (!Array.isArray(value)) return String(value);
      this.#report({
        code: 'CHARTER_VARIABLE_INVALID',
        message: `\`${part.slice(0, 80)}\` is a list and cannot stand within a text`,
        pointer,
        expected: 'a text or a whole number',
      });
      return found;
    });
  }

  /** `to`: where the value stands when all is put in; `from`: where it stands in the text. */
  insert(value: unknown, to: string, from: string): unknown {
    if (typeof value === 'string') return this.#intoText(value, from);
    if (Array.isArray(value)) return this.#insertList(value, to, from);
    if (!isObject(value)) return value;
    for (const [key, item] of Object.entries(value)) {
      const step = toPointerStep(key);
      value[key] = this.insert(item, to + step, from + step);
    }
    return value;
  }

  #insertList(list: readonly unknown[], to: string, from: string): readonly unknown[] {
    const items: unknown[] = [];
    list.forEach((item, index) => {
      const source = from + toPointerStep(index);
      const place = (): string => to + toPointerStep(items.length);
      const made = this.insert(item, place(), source);
      // A list that a variable stands for goes into the list around it, item by item.
      const parts = typeof item === 'string' && Array.isArray(made) ? made : [made];
      for (const part of parts) {
        if (place() !== source) this.moved.push({ to: place(), from: source });
        items.push(part);
        this.#count += 1;
      }
    });
    return items;
  }
}

/**
 * Puts the variables of a document in, in place, and takes nothing else for granted: the document is
 * untrusted and unchecked. Gives where values stand now that stood elsewhere in the text.
 */
export function insertVariables(
  document: Record<string, unknown>,
  given: VariableValues,
  report: Report,
): readonly Moved[] {
  const section = document['variables'];
  const declared = isObject(section) ? section : {};
  const inserter = new Inserter(Object.keys(declared), collect(declared, given, report), report);
  for (const [key, value] of Object.entries(document)) {
    if (key === 'variables' || key === 'include') continue;
    document[key] = inserter.insert(value, toPointerStep(key), toPointerStep(key));
  }
  return inserter.moved;
}
