// SPDX-License-Identifier: Apache-2.0
// Reads YAML text into plain values and remembers where each stood. The text is attacker-controlled: its
// size, depth and keys are bounded here, aliases are refused outright (a charter repeats itself through
// `places`, and a bomb of aliases needs aliases), and only the types of the YAML 1.2 core schema exist.
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
} from 'yaml';
import type { CharterProblem, UnplacedProblem } from './errors.ts';
import { CHARTER_SIZE_BYTES_MAX, YAML_DEPTH_MAX } from './limits.ts';
import { toPointerStep } from './shape.ts';
import { toSkeleton } from './suggest.ts';

/** A place in a text, from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** What a YAML text says, and where. */
export interface YamlReading {
  readonly value: unknown;
  readonly problems: readonly CharterProblem[];
  /** Where the value at a JSON pointer stands, or the nearest one above it. */
  locate(pointer: string): Position;
}

const START: Position = { line: 1, column: 1 };

/** A line that opens one block inside of the other: `- - - -`. */
const BLOCK_LADDER: RegExp = /^[ \t]*(?:[-?][ \t]+){33}/m;

/** Deepest nesting of flow brackets outside of quotes and comments; an upper bound is enough. */
function measureFlowDepth(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code === 0x5b || code === 0x7b) depth += 1;
    else if (code === 0x5d || code === 0x7d) depth = Math.max(0, depth - 1);
    if (depth > deepest) deepest = depth;
  }
  return deepest;
}

function fail(
  problem: Omit<CharterProblem, 'line' | 'column' | 'pointer'>,
  at: Position = START,
): YamlReading {
  return { value: undefined, problems: [{ ...problem, ...at, pointer: '' }], locate: () => at };
}

class Walker {
  readonly positions = new Map<string, Position>();
  readonly problems: CharterProblem[] = [];
  readonly #lines: LineCounter;

  constructor(lines: LineCounter) {
    this.#lines = lines;
  }

  toPosition(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }

  #place(node: Node | null, pointer: string): void {
    if (node?.range) this.positions.set(pointer, this.toPosition(node.range[0]));
  }

  #report(problem: UnplacedProblem, node: Node | null): void {
    this.problems.push({ ...problem, ...(node?.range ? this.toPosition(node.range[0]) : START) });
  }

  read(node: Node | null, pointer: string, depth: number): unknown {
    if (!this.positions.has(pointer)) this.#place(node, pointer);
    if (depth > YAML_DEPTH_MAX) {
      this.#report(
        {
          code: 'CHARTER_YAML_INVALID',
          message: 'the text is nested too deeply',
          pointer,
          expected: `at most ${YAML_DEPTH_MAX} levels`,
        },
        node,
      );
      return undefined;
    }
    if (isAlias(node) || (node && 'anchor' in node && node.anchor !== undefined)) {
      this.#report(
        {
          code: 'CHARTER_ALIAS_REFUSED',
          message: 'anchors and aliases are not used in a charter',
          pointer,
          expected: 'the value itself; for groups of countries, a name under `places`',
        },
        node,
      );
      return undefined;
    }
    if (isMap(node)) return this.#readMap(node.items, pointer, depth);
    if (isSeq(node)) {
      return node.items.map((item, index) =>
        this.read(toNode(item), pointer + toPointerStep(index), depth + 1),
      );
    }
    return isScalar(node) ? node.value : null;
  }

  #readMap(
    items: readonly { readonly key: unknown; readonly value: unknown }[],
    pointer: string,
    depth: number,
  ): unknown {
    // A null prototype and own keys only: `__proto__` in a text is a key like any other.
    const value: Record<string, unknown> = Object.create(null);
    const skeletons = new Map<string, string>();
    for (const item of items) {
      const keyNode = toNode(item.key);
      const key = isScalar(keyNode) ? String(keyNode.value) : undefined;
      if (key === undefined) {
        this.#report(
          {
            code: 'CHARTER_YAML_INVALID',
            message: 'a key must be a text',
            pointer,
            expected: 'a text',
          },
          keyNode,
        );
        continue;
      }
      const itemPointer = pointer + toPointerStep(key);
      if (Object.hasOwn(value, key)) {
        this.#report(
          {
            code: 'CHARTER_KEY_DUPLICATE',
            message: `\`${key.slice(0, 80)}\` stands here twice`,
            pointer: itemPointer,
            expected: 'each key once',
          },
          keyNode,
        );
        continue;
      }
      const skeleton = toSkeleton(key);
      const twin = skeletons.get(skeleton);
      if (twin !== undefined && twin.toLowerCase() !== key.toLowerCase()) {
        this.#report(
          {
            code: 'CHARTER_NAME_LOOKALIKE',
            message: `\`${key.slice(0, 80)}\` looks like \`${twin.slice(0, 80)}\` and is another name`,
            pointer: itemPointer,
            expected: 'names that can be told apart',
            suggestion: skeleton,
          },
          keyNode,
        );
      }
      skeletons.set(skeleton, key);
      this.#place(keyNode, itemPointer);
      value[key] = this.read(toNode(item.value), itemPointer, depth + 1);
    }
    return value;
  }
}

function toNode(value: unknown): Node | null {
  return isAlias(value) || isMap(value) || isScalar(value) || isSeq(value) ? value : null;
}

/** The library's message as ours; it recurses, and says so when the stack ends. */
function toMessage(message: string): string {
  const [line = 'not yaml'] = message.split('\n');
  return line.includes('call stack')
    ? 'the text is nested too deeply'
    : line.toLowerCase().replace(/\.$/, '').slice(0, 200);
}

const TOO_DEEP = {
  code: 'CHARTER_YAML_INVALID',
  message: 'the text is nested too deeply',
  expected: `at most ${YAML_DEPTH_MAX} levels`,
} as const;

/** The library's document; `undefined` when the text is nested so deeply that its stack ended. */
function parseText(text: string, lineCounter: LineCounter): Document.Parsed | undefined {
  try {
    return parseDocument(text, {
      lineCounter,
      version: '1.2',
      schema: 'core',
      uniqueKeys: false,
      strict: true,
      prettyErrors: false,
      // `silent` would also drop the error about a second document in the text.
      logLevel: 'error',
    });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return undefined;
  }
}

/** Reads one YAML text. Never throws: what is wrong is listed. */
export function readYaml(text: string): YamlReading {
  if (text.length > CHARTER_SIZE_BYTES_MAX) {
    return fail({
      code: 'CHARTER_TEXT_TOO_LARGE',
      message: `the text has ${text.length} characters`,
      expected: `at most ${CHARTER_SIZE_BYTES_MAX}`,
    });
  }
  if (measureFlowDepth(text) > 4 * YAML_DEPTH_MAX || BLOCK_LADDER.test(text)) {
    return fail(TOO_DEEP);
  }
  const lines = new LineCounter();
  const document = parseText(text, lines);
  if (document === undefined) return fail(TOO_DEEP);
  const walker = new Walker(lines);
  const problems: CharterProblem[] = document.errors.slice(0, 20).map((error) => ({
    code: 'CHARTER_YAML_INVALID',
    message: toMessage(error.message),
    pointer: '',
    expected: 'YAML 1.2',
    ...walker.toPosition(error.pos[0]),
  }));
  for (const warning of document.warnings.slice(0, 20)) {
    problems.push({
      code: 'CHARTER_YAML_INVALID',
      message: toMessage(warning.message),
      pointer: '',
      expected: 'YAML 1.2 without tags of its own',
      ...walker.toPosition(warning.pos[0]),
    });
  }
  if (problems.length > 0) return { value: undefined, problems, locate: () => START };
  const value = walker.read(toNode(document.contents), '', 0);
  return {
    value,
    problems: walker.problems,
    locate: (pointer) => {
      let at = pointer;
      for (;;) {
        const position = walker.positions.get(at);
        if (position) return position;
        const cut = at.lastIndexOf('/');
        if (cut < 0) return START;
        at = at.slice(0, cut);
      }
    },
  };
}
