// SPDX-License-Identifier: Apache-2.0
// Rules and exceptions: from clauses to boxes. An exception is a dated rule that allows, and a hole in the
// rules that it lifts.
import type { Obligation } from '@bailiwick/kernel';
import { ATTRIBUTE_INDEX, type Attribute } from './attribute.ts';
import { type Box, subtractBox, type Variant } from './box.ts';
import type { CharterDocument, ExceptionClause, ObligationClause, RuleClause } from './document.ts';
import type { BoxReader } from './flow-box.ts';
import { VARIANT_COUNT_MAX } from './limits.ts';
import type { Report } from './shape.ts';
import { findNearest } from './suggest.ts';

/** A rule or an exception, ready to be told in a decision. */
export interface CompiledRule {
  readonly id: string;
  readonly effect: 'allow' | 'forbid';
  readonly because: string;
  readonly source: string;
  readonly obligations: readonly Obligation[];
  /** Pointer to it in the document. */
  readonly pointer: string;
  readonly isException: boolean;
}

function toObligations(
  clauses: readonly ObligationClause[] | undefined,
  options: {
    readonly pointer: string;
    readonly categories: readonly string[];
    readonly report: Report;
  },
): readonly Obligation[] {
  const { pointer, categories, report } = options;
  return (clauses ?? []).map((clause, index) => {
    const at = `${pointer}/obligations/${index}`;
    const refuse = (message: string, expected: string): void =>
      report({ code: 'CHARTER_OBLIGATION_INVALID', message, pointer: at, expected });
    if ((clause.kind === 'aggregate') !== (clause.minimumCount !== undefined)) {
      refuse(
        `\`minimumCount\` belongs to \`aggregate\` and only to it`,
        '`{ kind: aggregate, minimumCount: 10 }`',
      );
    }
    if (clause.categories !== undefined && clause.kind !== 'mask' && clause.kind !== 'redact') {
      refuse(
        '`categories` belongs to `mask` and `redact`',
        '`{ kind: mask, categories: [contact] }`',
      );
    }
    if (clause.kind === 'mask' && clause.categories === undefined)
      refuse('`mask` must say what it hides', '`{ kind: mask, categories: [contact] }`');
    for (const [position, category] of (clause.categories ?? []).entries()) {
      if (categories.includes(category)) continue;
      const suggestion = findNearest(category, categories);
      report({
        code: 'CHARTER_NAME_UNKNOWN',
        message: `\`${category}\` is no category of this charter${suggestion ? `: did you mean \`${suggestion}\`?` : ''}`,
        pointer: `${at}/categories/${position}`,
        expected: 'a category of this charter',
        ...(suggestion === undefined ? {} : { suggestion }),
      });
    }
    return clause;
  });
}

/** Aggregates of personal or secret data are only aggregates above a smallest group. */
export function checkAggregate(
  rule: CompiledRule,
  boxes: readonly Box[],
  clause: RuleClause | ExceptionClause,
  attributes: readonly Attribute[],
  report: Report,
): void {
  if (rule.effect !== 'allow' || clause.form === undefined) return;
  const form = attributes[ATTRIBUTE_INDEX.form]?.indexOf.get('aggregated') ?? 0;
  const isGrouped = rule.obligations.some((obligation) => obligation.kind === 'aggregate');
  const isProtected = boxes.some((box) => {
    const classes = box[ATTRIBUTE_INDEX['data.class']];
    return (
      (box[ATTRIBUTE_INDEX.form]?.[form] ?? 0) === 1 &&
      (classes === undefined || classes[0] === 1 || classes[1] === 1)
    );
  });
  if (!isProtected || isGrouped) return;
  report({
    code: 'CHARTER_OBLIGATION_INVALID',
    message: `\`${rule.id}\` allows aggregates and does not say how large a group must be`,
    pointer: rule.pointer,
    expected: '`obligations: [{ kind: aggregate, minimumCount: 10 }]`',
  });
}

/** A rule with its clause and the boxes of flows about which it speaks. */
export interface Ruling {
  readonly rule: CompiledRule;
  readonly clause: RuleClause | ExceptionClause;
  readonly boxes: readonly Box[];
}

interface ReadOptions {
  readonly pointer: string;
  readonly categories: readonly string[];
  readonly reader: BoxReader;
  readonly report: Report;
}

function readRule(clause: RuleClause, options: ReadOptions): Ruling {
  const { pointer, reader, report } = options;
  const effect = clause.allow === undefined ? 'forbid' : 'allow';
  const id = clause.allow ?? clause.forbid ?? 'nameless';
  if ((clause.allow === undefined) === (clause.forbid === undefined)) {
    report({
      code: 'CHARTER_SHAPE_INVALID',
      message: 'a rule either allows or forbids',
      pointer,
      expected: '`allow: <id>` or `forbid: <id>`',
    });
  }
  if (effect === 'forbid' && clause.obligations) {
    report({
      code: 'CHARTER_OBLIGATION_INVALID',
      message: 'a rule that forbids has no obligations',
      pointer: `${pointer}/obligations`,
      expected: 'obligations on rules that allow',
    });
  }
  const obligations = toObligations(clause.obligations, options);
  const { because, source } = clause;
  const rule = { id, effect, because, source, obligations, pointer, isException: false } as const;
  return { rule, clause, boxes: reader.read(clause, pointer) };
}

function readException(
  clause: ExceptionClause,
  options: ReadOptions & { readonly roles: readonly string[] },
): Ruling {
  const { pointer, reader, report, roles } = options;
  if (!roles.includes(clause.approver)) {
    const suggestion = findNearest(clause.approver, roles);
    report({
      code: 'CHARTER_NAME_UNKNOWN',
      message: `\`${clause.approver}\` is no role of this charter`,
      pointer: `${pointer}/approver`,
      expected: 'a role of this charter',
      ...(suggestion === undefined ? {} : { suggestion }),
    });
  }
  const obligations = toObligations(clause.obligations, options);
  const { exception: id, reason: because, source } = clause;
  const rule = {
    id,
    effect: 'allow',
    because,
    source,
    obligations,
    pointer,
    isException: true,
  } as const;
  return { rule, clause, boxes: reader.read(clause, pointer) };
}

function checkIds(rulings: readonly Ruling[], report: Report): void {
  const seen = new Map<string, string>();
  for (const { rule } of rulings) {
    const first = seen.get(rule.id);
    if (first === undefined) {
      seen.set(rule.id, rule.pointer);
      continue;
    }
    report({
      code: 'CHARTER_RULE_DUPLICATE',
      message: `\`${rule.id}\` is the id of another rule already`,
      pointer: `${rule.pointer}/${rule.isException ? 'exception' : rule.effect}`,
      expected: `an id of its own; the other is at \`${first}\``,
    });
  }
}

/** Reads rules, then exceptions. */
export function readRulings(
  document: CharterDocument,
  reader: BoxReader,
  report: Report,
): readonly Ruling[] {
  const categories = Object.keys(document.categories);
  const roles = Object.keys(document.roles);
  const rules = document.rules.map((clause, index) =>
    readRule(clause, { pointer: `/rules/${index}`, categories, reader, report }),
  );
  const exceptions = (document.exceptions ?? []).map((clause, index) =>
    readException(clause, { pointer: `/exceptions/${index}`, categories, reader, report, roles }),
  );
  const rulings = [...rules, ...exceptions];
  checkIds(rulings, report);
  return rulings;
}

/** Rules that forbid, less what exceptions lift from them. */
export function toVariants(
  document: CharterDocument,
  rulings: readonly Ruling[],
  report: Report,
): readonly Variant[] {
  const variants: Variant[] = [];
  const lifts = (document.exceptions ?? []).flatMap((clause, index) =>
    (clause.lifts ?? []).map((id, position) => ({
      id,
      exception: clause.exception,
      pointer: `/exceptions/${index}/lifts/${position}`,
    })),
  );
  for (const lift of lifts) {
    const target = rulings.find((ruling) => ruling.rule.id === lift.id);
    if (target?.rule.effect === 'forbid') continue;
    const suggestion = findNearest(
      lift.id,
      rulings.filter((ruling) => ruling.rule.effect === 'forbid').map((ruling) => ruling.rule.id),
    );
    report({
      code: 'CHARTER_NAME_UNKNOWN',
      message: `\`${lift.id}\` is no rule that forbids`,
      pointer: lift.pointer,
      expected: 'the id of a rule that forbids',
      ...(suggestion === undefined ? {} : { suggestion }),
    });
  }
  rulings.forEach(({ rule, boxes }, index) => {
    let parts = boxes;
    if (rule.effect === 'forbid') {
      for (const lift of lifts.filter((item) => item.id === rule.id)) {
        for (const hole of rulings.find((other) => other.rule.id === lift.exception)?.boxes ?? []) {
          parts = parts.flatMap((part) => subtractBox(part, hole));
        }
      }
    }
    if (boxes.length === 0) {
      report({
        code: 'CHARTER_RULE_EMPTY',
        message: `\`${rule.id}\` can never apply: what it asks for excludes itself`,
        pointer: rule.pointer,
        expected: 'conditions that some flow can meet',
      });
    }
    for (const box of parts) variants.push({ rule: index, box });
  });
  if (variants.length > VARIANT_COUNT_MAX) {
    report({
      code: 'CHARTER_SHAPE_INVALID',
      message: `the rules come to ${variants.length} conjunctions`,
      pointer: '/rules',
      expected: `at most ${VARIANT_COUNT_MAX}`,
    });
  }
  return variants;
}
