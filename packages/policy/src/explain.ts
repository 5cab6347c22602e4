// SPDX-License-Identifier: Apache-2.0
// What would make a denied flow allowed: single changes of form, mechanism, destination, consent and
// purpose, then two of them at once. A change of fact (purpose, consent) is told last, and as a condition
// and not as advice: nobody should name another purpose to get through.
import type { CompiledCharter } from '@bailiwick/charter';
import { CONSENTS, type Decision, type Flow, FORMS, type NearestFlow } from '@bailiwick/kernel';
import type { Engine, Explanation } from './engine.ts';

const NEAREST_COUNT_MAX = 3;

interface Change {
  readonly kind: string;
  readonly value: string;
  readonly words: string;
  readonly apply: (flow: Flow) => Flow;
}

/** Every single change that the charter has words for, in the order in which they are proposed. */
export function listChanges(charter: CompiledCharter): readonly Change[] {
  return [
    ...FORMS.map(
      (form): Change => ({
        kind: 'form',
        value: form,
        words: `as \`${form}\``,
        apply: (flow) => ({ ...flow, form }),
      }),
    ),
    ...charter.mechanisms.map(
      ({ id }): Change => ({
        kind: 'mechanism',
        value: id,
        words: `under \`${id}\``,
        apply: (flow) => ({ ...flow, mechanism: id }),
      }),
    ),
    ...charter.cells.map(
      ({ id, location, operator }): Change => ({
        kind: 'to',
        value: id,
        words: `to \`${id}\``,
        apply: (flow) => ({ ...flow, to: { kind: 'cell', id, location, operator } }),
      }),
    ),
    ...CONSENTS.map(
      (consent): Change => ({
        kind: 'consent',
        value: consent,
        words: `if consent were \`${consent}\``,
        apply: (flow) => ({ ...flow, consent }),
      }),
    ),
    ...charter.purposes.map(
      (purpose): Change => ({
        kind: 'purpose',
        value: purpose,
        words: `if its purpose really were \`${purpose}\``,
        apply: (flow) => ({ ...flow, purpose }),
      }),
    ),
  ];
}

function toNearest(changes: readonly Change[], decision: Decision): NearestFlow {
  return {
    words: `would be allowed ${changes.map((change) => change.words).join(' and ')}`,
    change: Object.fromEntries(changes.map((change) => [change.kind, change.value])),
    rules: decision.rules,
  };
}

function findNearest(
  engine: Engine,
  flow: Flow,
  changes: readonly Change[],
): readonly NearestFlow[] {
  const found: NearestFlow[] = [];
  for (const change of changes) {
    const decision = engine.decide(change.apply(flow));
    if (decision.outcome === 'allow') found.push(toNearest([change], decision));
    if (found.length === NEAREST_COUNT_MAX) return found;
  }
  if (found.length > 0) return found;
  for (const [index, first] of changes.entries()) {
    const changed = first.apply(flow);
    for (const second of changes.slice(index + 1)) {
      if (second.kind === first.kind) continue;
      const decision = engine.decide(second.apply(changed));
      if (decision.outcome === 'allow') found.push(toNearest([first, second], decision));
      if (found.length === NEAREST_COUNT_MAX) return found;
    }
  }
  return found;
}

function toWords(decision: Decision): string {
  const reasons = decision.reasons.map(
    (reason) => `${reason.because} (\`${reason.rule}\`; ${reason.source})`,
  );
  const why = reasons.length > 0 ? reasons.join('; ') : 'no rule of the charter allows it';
  const nearest = decision.nearest.map((item) => item.words).join('; ');
  return `${decision.outcome === 'allow' ? 'Allowed' : 'Denied'}: ${why}${nearest ? `. It ${nearest}` : ''}.`;
}

/** Decides a flow and, when it is denied, searches the nearest flows that are allowed. */
export function explainFlow(engine: Engine, flow: Flow): Explanation {
  const decided = engine.decide(flow);
  const decision =
    decided.outcome === 'allow'
      ? decided
      : { ...decided, nearest: findNearest(engine, flow, listChanges(engine.charter)) };
  return { decision, words: toWords(decision) };
}
