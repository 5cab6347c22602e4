// SPDX-License-Identifier: Apache-2.0
// The enforcement point that all capabilities share: which purpose a request has, what its flow is, what
// the charter says, whether the cell can do what the charter obliges it to, and what goes on record.
import {
  type Action,
  assertNever,
  type Clock,
  type Decision,
  type DenialCause,
  type Flow,
  type Obligation,
  type ObligationKind,
  type TenantId,
  toInstant,
} from '@bailiwick/kernel';
import { type Counsel, findDissent } from '@bailiwick/policy';
import type { Meter } from '@bailiwick/telemetry';
import { CellError, DenialError } from '../errors.ts';
import type {
  Credential,
  Enforcement,
  EntryDraft,
  EntryWriter,
  FlowRequest,
  Law,
  Orders,
} from '../services.ts';
import { crossesBorder, type Site } from './border.ts';
import { findOrderDenial, findStandingDenial } from './standing-rules.ts';

export interface EnforcementPorts {
  readonly clock: Clock;
  readonly law: Law;
  readonly entries: EntryWriter;
  readonly orders: Orders;
  readonly meter: Meter;
  readonly site: Site;
  /** Asked last, of what everything else allows. */
  readonly counsels?: readonly Counsel[];
}

interface Decided {
  readonly flow: Flow;
  readonly decision: Decision;
}

/**
 * What this cell can fulfil, by action. An obligation that is not here turns an allow into a deny:
 * nothing is let through on a promise.
 */
function isFulfillable(
  { action, form }: Pick<Flow, 'action' | 'form'>,
  kind: ObligationKind,
): boolean {
  switch (kind) {
    case 'log':
      return true;
    // Who shows nothing hides everything; who shows records masks them field set by field set.
    case 'mask':
    case 'redact':
      return true;
    case 'aggregate':
      return action === 'transfer' || action === 'export';
    case 'checkpoint':
      return action !== 'ingest' && action !== 'update' && action !== 'delete';
    // What leaves as pseudonyms has been pseudonymised on its way.
    case 'pseudonymise':
      return form === 'pseudonymised' && (action === 'transfer' || action === 'export');
    case 'tokenise':
    case 'noise':
    case 'notify':
      return false;
    default:
      return assertNever(kind);
  }
}

/** What the doors may ask beyond what capabilities may. */
export interface CellEnforcement extends Enforcement {
  /**
   * The charter's answer to a flow that somebody else enforces, denials with the nearest flows. What it
   * obliges to is told and left to whoever asked.
   */
  answer(tenantId: TenantId, flow: Flow): Decision;
}

/** Makes the enforcement point of a cell. */
export function createEnforcement(ports: EnforcementPorts): CellEnforcement {
  const { law, entries } = ports;
  const decisions = ports.meter.createCounter('bailiwick.decisions', {
    description: 'flows decided, by action and outcome',
  });
  const decide = (credential: Credential, request: FlowRequest): Decided => {
    const flow = toFlow(ports, credential, request);
    const decision = decideOwn(ports, credential.tenantId, { flow, request });
    decisions.add(1, toAttributes(flow.action, decision.outcome));
    return { flow, decision };
  };
  return {
    purposeOf: (credential, stated) => purposeOf(law, credential, stated),
    answer(tenantId, flow) {
      const decision = decideFlow(ports, tenantId, { flow });
      decisions.add(1, toAttributes(flow.action, decision.outcome));
      return explain(ports, tenantId, { flow, decision }).decision;
    },
    decide,
    isRepeatable: () => law.current().canary === undefined && (ports.counsels?.length ?? 0) === 0,
    async require(credential, request) {
      const preparing = ports.orders.prepare(credential.tenantId);
      if (preparing) await preparing;
      const decided = decide(credential, request);
      if (decided.decision.outcome === 'allow') return decided;
      const explained = explain(ports, credential.tenantId, decided);
      // INVARIANT 3: the refusal is on record before the caller knows of it.
      await entries.record(credential.tenantId, {
        kind: 'refusal',
        ...toDraft(credential, explained),
      });
      throw new DenialError(explained.decision);
    },
    toDraft,
  };
}

/** The attributes of a figure, one frozen object for each pair: found again without a look inside. */
const ATTRIBUTES: Partial<Record<string, Readonly<Record<string, string>>>> = {};

function toAttributes(
  action: Action,
  outcome: Decision['outcome'],
): Readonly<Record<string, string>> {
  const name = `${action} ${outcome}`;
  ATTRIBUTES[name] ??= Object.freeze({ action, outcome });
  return ATTRIBUTES[name];
}

function purposeOf(law: Law, credential: Credential, stated: string | undefined): string {
  const purpose = stated ?? credential.defaultPurpose;
  if (purpose === undefined) {
    throw new CellError('CELL_PURPOSE_MISSING', 'state a purpose in `Bailiwick-Purpose`');
  }
  // SECURITY: the purpose must be the account's own and one that the charter knows; a caller cannot
  // grant itself one by naming it. The name is not repeated: a caller could put anything there.
  if (!credential.purposes.includes(purpose) || !law.current().charter.purposes.includes(purpose)) {
    throw new CellError(
      'CELL_PURPOSE_FORBIDDEN',
      'the stated purpose is not granted to this account',
    );
  }
  return purpose;
}

/** The flow of a request: who asks, what the enforcement point knows, and when. */
export function toFlow(
  ports: Pick<EnforcementPorts, 'clock' | 'law'>,
  credential: Credential,
  request: FlowRequest,
): Flow {
  const { kind, role, employer, assurance, place } = credential;
  const { standing } = request;
  return {
    actor: { kind, role, employer, assurance, place },
    action: request.action,
    data: {
      class: request.class,
      categories: request.categories,
      regimes: request.regimes,
      origin: request.origin,
      residency: request.residency,
    },
    form: request.form ?? 'plain',
    to: request.to ?? { kind: 'reader', location: place, operator: place },
    purpose: request.purpose,
    ...(request.mechanism === undefined ? {} : { mechanism: request.mechanism }),
    consent: request.consent ?? standing?.consent ?? 'absent',
    conditions: toConditions(ports, request),
    atMs: ports.clock.nowMs(),
  };
}

/** A condition that the charter does not name would be an unknown value: the cell rules on it itself. */
function toConditions(
  { law }: Pick<EnforcementPorts, 'law'>,
  request: FlowRequest,
): readonly string[] {
  const { conditions = [], standing } = request;
  if (standing === undefined || standing.conditions.length === 0) return conditions;
  const declared = law.current().charter.conditions;
  const found = standing.conditions.filter((name) => declared.includes(name));
  return [...new Set([...conditions, ...found])].sort();
}

interface Question {
  readonly flow: Flow;
  /** Absent for flows that somebody else enforces. */
  readonly request?: FlowRequest;
}

/** Charter and terms, freshness, orders, the person's standing, counsels: each can only make the answer stricter. */
function decideFlow(ports: EnforcementPorts, tenantId: TenantId, question: Question): Decision {
  const decision = decideByLaw(ports, tenantId, question);
  if (decision.outcome === 'deny' || ports.counsels === undefined) return decision;
  const dissenter = findDissent(ports.counsels, question.flow);
  return dissenter === undefined ? decision : toCounselDenial(decision, dissenter);
}

function decideByLaw(
  ports: EnforcementPorts,
  tenantId: TenantId,
  { flow, request }: Question,
): Decision {
  const law = ports.law.current();
  const own = law.engineFor(tenantId).decide(flow);
  const decision = law.canary === undefined ? own : law.canary.judge(tenantId, flow, own);
  if (decision.outcome === 'deny') return decision;
  if (!ports.law.isFresh() && crossesBorder(flow, ports.site)) return toStaleDenial(decision);
  const order = ports.orders.find(tenantId, {
    action: flow.action,
    origin: flow.data.origin,
    ...(request?.subjectId === undefined ? {} : { subjectId: request.subjectId }),
  });
  if (order !== undefined) return findOrderDenial(decision, order);
  const { standing } = request ?? {};
  if (standing === undefined) return decision;
  return (
    findStandingDenial(decision, { flow, standing, declared: law.charter.conditions }) ?? decision
  );
}

/** A flow that this cell itself enforces: it must also be able to do what it is obliged to. */
function decideOwn(ports: EnforcementPorts, tenantId: TenantId, question: Question): Decision {
  const { flow } = question;
  const decision = decideFlow(ports, tenantId, question);
  if (decision.outcome === 'deny') return decision;
  const unfulfillable = decision.obligations.find(({ kind }) => !isFulfillable(flow, kind));
  return unfulfillable === undefined ? decision : toObligationDenial(decision, unfulfillable);
}

function toStaleDenial(decision: Decision): Decision {
  return {
    ...decision,
    outcome: 'deny',
    cause: 'charter-stale',
    obligations: [],
    nearest: [],
    reasons: [
      {
        rule: 'freshness',
        because: 'the charter in this cell is out of date, so flows that cross a border stop',
        source: 'Bailiwick invariant 11',
      },
    ],
  };
}

function toCounselDenial(decision: Decision, name: string): Decision {
  return {
    ...decision,
    outcome: 'deny',
    cause: 'counsel',
    obligations: [],
    nearest: [],
    reasons: [
      {
        rule: `counsel.${name}`,
        because: 'another policy engine of this cell did not say yes',
        source: 'cell.yaml, counsels',
      },
    ],
  };
}

function toObligationDenial(decision: Decision, { kind }: Obligation): Decision {
  return {
    ...decision,
    outcome: 'deny',
    cause: 'obligation-unfulfillable',
    nearest: [],
    reasons: [
      ...decision.reasons,
      {
        rule: 'obligation',
        because: `this cell cannot fulfil the obligation to ${kind} for this action`,
        source: 'Bailiwick invariant 4',
      },
    ],
  };
}

/** Causes that are this cell's own: the engine would not deny. */
const OWN_CAUSES: readonly DenialCause[] = [
  'charter-stale',
  'counsel',
  'facts-unverified',
  'legal-order',
  'obligation-unfulfillable',
  'subject-standing',
];

/** A denial of the engine with the nearest flows that it would allow; anything else as it is. */
function explain(ports: EnforcementPorts, tenantId: TenantId, decided: Decided): Decided {
  const { outcome, cause } = decided.decision;
  const isEngines = cause === undefined || !OWN_CAUSES.includes(cause);
  if (outcome === 'allow' || !isEngines) return decided;
  const law = ports.law.current();
  const { canary } = law;
  const isCandidates = canary !== undefined && decided.decision.charter.serial === canary.serial;
  const engine = isCandidates ? canary.engineFor(tenantId) : law.engineFor(tenantId);
  const { nearest } = engine.explain(decided.flow).decision;
  return { flow: decided.flow, decision: { ...decided.decision, nearest } };
}

function toAlso({
  hash,
  serial,
  outcome,
}: NonNullable<Decision['also']>): NonNullable<NonNullable<EntryDraft['decision']>['also']> {
  return { charter: hash, serial, outcome };
}

function toDraft(
  credential: Credential,
  { flow, decision }: Decided,
): ReturnType<Enforcement['toDraft']> {
  const { actor, atMs, ...rest } = flow;
  return {
    actor: { account: credential.account, ...actor },
    flow: { ...rest, at: toInstant(atMs) },
    decision: {
      outcome: decision.outcome,
      rules: decision.rules,
      ...(decision.cause === undefined ? {} : { cause: decision.cause }),
      obligations: decision.obligations.map(({ kind }) => kind),
      charter: decision.charter.hash,
      serial: decision.charter.serial,
      ...(decision.also === undefined ? {} : { also: toAlso(decision.also) }),
    },
  };
}
