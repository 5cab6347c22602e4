// SPDX-License-Identifier: Apache-2.0
// Reads the syntax tree that Cedar itself gives for a policy back into boxes: per attribute the accepted
// values. Knows only conjunctions, alternatives and conditions on one attribute; anything else throws, so
// that a generated policy which says more than that cannot pass for equal.
import { ATTRIBUTE_IDS, ATTRIBUTE_INDEX, type CompiledCharter } from '@bailiwick/charter';

/** Accepted values by attribute position; absent: all. */
export type ReadBox = ReadonlyMap<number, readonly boolean[]>;

type Node = Readonly<Record<string, unknown>>;

function asNode(value: unknown): Node {
  if (typeof value !== 'object' || value === null) throw new Error('expected a node');
  return value as Node;
}

/** `context.actor.role` as `actor.role`. */
function toPath(value: unknown): string {
  const node = asNode(value);
  if (node['Var'] === 'context') return '';
  if (node['Var'] === 'action') return 'action';
  const access = asNode(node['.']);
  const inner = toPath(access['left']);
  return inner === '' ? String(access['attr']) : `${inner}.${String(access['attr'])}`;
}

function toLiteral(value: unknown): string | number {
  const literal = asNode(value)['Value'];
  if (typeof literal === 'string' || typeof literal === 'number') return literal;
  return String(asNode(asNode(literal)['__entity'])['id']);
}

function toLiterals(value: unknown): readonly (string | number)[] {
  const set = asNode(value)['Set'];
  if (!Array.isArray(set)) throw new Error('expected a set');
  return set.map(toLiteral);
}

/** Reads the policies of one charter. */
export class BoxesReader {
  readonly #charter: CompiledCharter;

  constructor(charter: CompiledCharter) {
    this.#charter = charter;
  }

  #atom(path: string, accepts: (value: string) => boolean): readonly ReadBox[] {
    const attribute = this.#charter.attributes.findIndex((item) => item.id === path);
    const values = this.#charter.attributes[attribute]?.values;
    if (!values || attribute >= ATTRIBUTE_IDS.length) throw new Error(`no attribute ${path}`);
    return [new Map([[attribute, values.map(accepts)]])];
  }

  #time(accepts: (ms: number) => boolean): readonly ReadBox[] {
    const starts = [Number.NEGATIVE_INFINITY, ...this.#charter.instantsMs];
    return [new Map([[ATTRIBUTE_INDEX.period, starts.map(accepts)]])];
  }

  #contains(left: unknown, right: unknown): readonly ReadBox[] {
    if ('Set' in asNode(left)) {
      const values = toLiterals(left);
      return this.#atom(toPath(right), (value) => values.includes(value));
    }
    if (toPath(left) !== 'given') throw new Error('expected `given`');
    const index = this.#charter.conditions.indexOf(String(toLiteral(right)));
    if (index < 0) throw new Error('unknown condition');
    return [new Map([[ATTRIBUTE_IDS.length + index, [false, true]]])];
  }

  read(expression: unknown): readonly ReadBox[] {
    const [[operator, operands] = ['', {}], ...more] = Object.entries(asNode(expression));
    if (more.length > 0) throw new Error('expected one operator');
    const { left, right, arg } = asNode(operands);
    switch (operator) {
      case '&&':
        return this.read(left).flatMap((one) => this.read(right).map((other) => meet(one, other)));
      case '||':
        return joinSpans(this.read(left), this.read(right));
      case '!':
        return complement(this.read(arg));
      case '==':
        return this.#atom(toPath(left), (value) => value === toLiteral(right));
      case '!=':
        return this.#atom(toPath(left), (value) => value !== toLiteral(right));
      case 'contains':
        return this.#contains(left, right);
      case 'in': {
        const actions = toLiterals(right);
        return this.#atom(toPath(left), (value) => actions.includes(value));
      }
      case '>=':
        return this.#time((ms) => toPath(left) === 'at' && ms >= Number(toLiteral(right)));
      case '<':
        return this.#time((ms) => toPath(left) === 'at' && ms < Number(toLiteral(right)));
      default:
        throw new Error(`no operator ${operator}`);
    }
  }

  /** A text per box, sorted: equal for policies and rules that accept the same flows box by box. */
  toKeys(boxes: readonly ReadBox[]): readonly string[] {
    return boxes
      .map((box) =>
        this.#charter.attributes
          .map((_, attribute) => {
            const set = box.get(attribute);
            return set === undefined || set.every(Boolean) ? '*' : set.map(Number).join('');
          })
          .join('|'),
      )
      .sort();
  }
}

function meet(one: ReadBox, other: ReadBox): ReadBox {
  const result = new Map(one);
  for (const [attribute, set] of other) {
    const own = result.get(attribute);
    result.set(attribute, own ? own.map((value, index) => value && set[index] === true) : set);
  }
  return result;
}

/** Alternatives; spans of time beside each other are one set of periods and not two boxes. */
function joinSpans(left: readonly ReadBox[], right: readonly ReadBox[]): readonly ReadBox[] {
  const toPeriods = (boxes: readonly ReadBox[]): readonly boolean[] | undefined =>
    boxes.length === 1 && boxes[0]?.size === 1 ? boxes[0].get(ATTRIBUTE_INDEX.period) : undefined;
  const [one, other] = [toPeriods(left), toPeriods(right)];
  if (!one || !other) return [...left, ...right];
  const set = one.map((value, index) => value || other[index] === true);
  return [new Map([[ATTRIBUTE_INDEX.period, set]])];
}

/** Only of a condition on one attribute. */
function complement(boxes: readonly ReadBox[]): readonly ReadBox[] {
  const [[attribute, set] = [0, []], ...more] = [...(boxes[0] ?? new Map<number, boolean[]>())];
  if (boxes.length !== 1 || more.length > 0) throw new Error('expected one condition');
  return [new Map([[attribute, set.map((value) => !value)]])];
}
