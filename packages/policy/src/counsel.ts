// SPDX-License-Identifier: Apache-2.0
// Counsels: other policy engines that are asked after the charter has allowed. They can only take away: what
// fails, is late or says nothing is a denial. A question is one element of a flow, as Cedar and Rego get it.
import { NONE } from '@bailiwick/charter';
import type { Flow } from '@bailiwick/kernel';

/** One element of a flow: one category, one regime; what is absent is `none`. */
export interface CounselQuestion {
  readonly actor: Flow['actor'];
  readonly action: Flow['action'];
  readonly data: {
    readonly class: string;
    readonly category: string;
    readonly regime: string;
    readonly origin: string;
    readonly residency: string;
  };
  readonly form: string;
  readonly to: {
    readonly kind: string;
    readonly id: string;
    readonly location: string;
    readonly operator: string;
  };
  readonly purpose: string;
  readonly mechanism: string;
  readonly consent: string;
  /** Conditions that are true. */
  readonly given: readonly string[];
  /** Instant, milliseconds since 1970. */
  readonly at: number;
}

/** Another engine, asked in place. */
export interface Counsel {
  /** A name for entries and reasons. */
  readonly name: string;
  /** True only for a plain yes. Whatever it throws counts as no. */
  ask(question: CounselQuestion): boolean;
  close(): Promise<void>;
}

/** The elements of a flow; each is asked about, and each must be allowed. */
export function toCounselQuestions(flow: Flow): readonly CounselQuestion[] {
  const { actor, action, data, form, to, purpose, mechanism, consent, conditions, atMs } = flow;
  const { kind, id = NONE, location, operator } = to;
  const categories = data.categories.length === 0 ? [NONE] : data.categories;
  const regimes = data.regimes.length === 0 ? [NONE] : data.regimes;
  const { origin, residency } = data;
  return categories.flatMap((category) =>
    regimes.map((regime) => ({
      actor,
      action,
      data: { class: data.class, category, regime, origin, residency },
      form,
      to: { kind, id, location, operator },
      purpose,
      mechanism: mechanism ?? NONE,
      consent,
      given: conditions,
      at: atMs,
    })),
  );
}

/** The name of the first counsel that does not say yes to all of a flow; `undefined`: all do. */
export function findDissent(counsels: readonly Counsel[], flow: Flow): string | undefined {
  if (counsels.length === 0) return undefined;
  const questions = toCounselQuestions(flow);
  const dissenter = counsels.find((counsel) => !questions.every((one) => isYes(counsel, one)));
  return dissenter?.name;
}

function isYes(counsel: Counsel, question: CounselQuestion): boolean {
  try {
    return counsel.ask(question) === true;
  } catch {
    // SECURITY: a counsel that fails has not agreed.
    return false;
  }
}
