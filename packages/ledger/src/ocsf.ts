// SPDX-License-Identifier: Apache-2.0
// Entries as events of the Open Cybersecurity Schema Framework, for a SIEM that stands in the same place.
// Schema 1.8.0 (github.com/ocsf/ocsf-schema, tag 1.8.0): class API Activity (6003) with the profile
// `security_control`, whose `authorizations` tell the rules that decided. The class Authorize Session (3003)
// is about privileges of a sign-in and says nothing about a decision, so it is not used.
import { parseInstant } from '@bailiwick/kernel';
import type { EntryBody, EntryKind } from './entry.ts';

/** Version of the schema that events are written for. */
export const OCSF_VERSION = '1.8.0';
const CATEGORY_UID = 6;
const CLASS_UID = 6003;
/** `activity_id` of API Activity. */
const ACTIVITY = { create: 1, read: 2, update: 3, delete: 4, other: 99 } as const;
type Activity = keyof typeof ACTIVITY;
/** `severity_id`: informational, and low for what was refused. */
const SEVERITY = { informational: 1, low: 2 } as const;

/** An event as OCSF has it; plain JSON. */
export type OcsfEvent = Readonly<Record<string, unknown>>;

const ACTIVITIES: Readonly<Record<EntryKind, Activity>> = {
  decision: 'other',
  read: 'read',
  write: 'update',
  delete: 'delete',
  seal: 'create',
  open: 'read',
  transfer: 'create',
  delivery: 'create',
  key: 'update',
  erasure: 'delete',
  bundle: 'update',
  tenant: 'update',
  account: 'update',
  refusal: 'other',
  misdirected: 'other',
  'late-release': 'other',
  observation: 'other',
  epoch: 'other',
  backup: 'read',
  restore: 'create',
  standing: 'update',
  order: 'update',
  request: 'update',
  retention: 'delete',
};

/** Where an entry lies in its log. */
export interface OcsfPlace {
  readonly index?: number;
  /** Lower-case hex. */
  readonly leafHash?: string;
}

/** An entry's body as an event. Nothing is added that the entry does not say. */
export function toOcsfEvent(body: EntryBody, place: OcsfPlace = {}): OcsfEvent {
  const activity = ACTIVITIES[body.kind];
  const activityId = ACTIVITY[activity];
  const isRefused = body.decision?.outcome === 'deny' || isRefusal(body.kind);
  return {
    activity_id: activityId,
    activity_name: `${activity.slice(0, 1).toUpperCase()}${activity.slice(1)}`,
    category_uid: CATEGORY_UID,
    category_name: 'Application Activity',
    class_uid: CLASS_UID,
    class_name: 'API Activity',
    type_uid: CLASS_UID * 100 + activityId,
    severity_id: isRefused ? SEVERITY.low : SEVERITY.informational,
    status_id: isRefused ? 2 : 1,
    time: parseInstant(body.at),
    ...toControl(body, isRefused),
    metadata: toMetadata(body, place),
    actor: toActor(body),
    api: {
      operation: body.flow?.action ?? body.kind,
      service: { name: 'bailiwick', uid: body.cell },
      ...(body.request === undefined ? {} : { request: { uid: body.request } }),
    },
    src_endpoint: toSource(body),
    ...toDestination(body),
    ...toResources(body),
    unmapped: toUnmapped(body),
  };
}

function isRefusal(kind: EntryKind): boolean {
  return kind === 'refusal' || kind === 'misdirected';
}

function toControl({ decision }: EntryBody, isRefused: boolean): OcsfEvent {
  if (decision === undefined && !isRefused) return {};
  return {
    action_id: isRefused ? 2 : 1,
    action: isRefused ? 'Denied' : 'Allowed',
    disposition_id: isRefused ? 2 : 1,
    ...(decision === undefined
      ? {}
      : {
          authorizations: decision.rules.map((rule) => ({
            decision: decision.outcome,
            policy: { uid: rule, version: decision.charter },
          })),
        }),
  };
}

function toMetadata(body: EntryBody, { index }: OcsfPlace): OcsfEvent {
  return {
    version: OCSF_VERSION,
    profiles: ['security_control'],
    product: { name: 'Bailiwick', vendor_name: 'Bailiwick' },
    uid: body.id,
    log_name: `${body.cell}/ledger`,
    event_code: body.kind,
    ...(body.tenant === undefined ? {} : { tenant_uid: body.tenant }),
    ...(index === undefined ? {} : { sequence: index }),
  };
}

function toActor({ actor, cell }: EntryBody): OcsfEvent {
  if (actor === undefined) return { app_name: 'bailiwick-cell', app_uid: cell };
  const { account, kind, role } = actor;
  const typeId = kind === 'person' ? 1 : 3;
  return { user: { uid: account, type_id: typeId, groups: [{ name: role }] } };
}

function toSource({ actor, cell }: EntryBody): OcsfEvent {
  if (actor === undefined) return { name: cell };
  return { name: actor.account, location: { country: toCountry(actor.place) } };
}

function toDestination({ flow }: EntryBody): OcsfEvent {
  if (flow === undefined) return {};
  const { id, kind, location } = flow.to;
  return { dst_endpoint: { name: id ?? kind, location: { country: toCountry(location) } } };
}

function toResources({ subject, facts, records }: EntryBody): OcsfEvent {
  const resources: OcsfEvent[] = [];
  if (subject !== undefined) resources.push({ type: 'subject', uid: subject });
  const collection = facts?.['collection'];
  if (typeof collection === 'string') resources.push({ type: 'collection', name: collection });
  const key = facts?.['key'];
  if (typeof key === 'string') resources.push({ type: 'key', uid: key });
  if (records !== undefined) resources.push({ type: 'records', uid: records.hash });
  return resources.length === 0 ? {} : { resources };
}

/** What OCSF has no place for. */
function toUnmapped(body: EntryBody): OcsfEvent {
  const { flow, decision, actor, facts, records } = body;
  return {
    kind: body.kind,
    ...(flow === undefined ? {} : { purpose: flow.purpose, form: flow.form, data: flow.data }),
    ...(flow?.mechanism === undefined ? {} : { mechanism: flow.mechanism }),
    ...(decision === undefined
      ? {}
      : { obligations: decision.obligations, serial: decision.serial }),
    ...(actor === undefined ? {} : { employer: actor.employer, assurance: actor.assurance }),
    ...(records === undefined ? {} : { records_count: records.count }),
    ...(facts === undefined ? {} : { facts }),
  };
}

/** ISO 3166-1 alpha-2 in capitals; subdivisions (`us-ca`) go by their country, and `uk` is `GB` there. */
function toCountry(jurisdiction: string): string {
  const country = jurisdiction.split('-')[0] ?? jurisdiction;
  return country === 'uk' ? 'GB' : country.toUpperCase();
}
