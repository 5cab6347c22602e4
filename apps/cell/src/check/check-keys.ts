// SPDX-License-Identifier: Apache-2.0
// Every wrap opens under the keys that it names, or its key was erased; what an erasure destroyed is in no
// replica any more. For this the check holds what the key service holds: the provider and the erasable
// store. Keys of a tenant whose customer key is disabled cannot be opened by anybody: they are counted.
import type { KeyObject } from 'node:crypto';
import {
  type CellId,
  isCoded,
  type KeyId,
  parseCollectionId,
  parseKeyId,
  parseSubjectId,
  parseTenantId,
  type TenantId,
} from '@bailiwick/kernel';
import { type ErasableStore, unwrapKey } from '@bailiwick/keys';
import type { Pool, PoolClient } from 'pg';
import type { Custody, OpenTenant } from '../key-service/custody.ts';
import { toSubjectKeyContext } from '../key-service/subject-key.ts';
import type { StuckLimits } from './check-states.ts';
import type { Findings } from './findings.ts';

const PAGE_COUNT = 1_000;

/** A tenant's keys as they were opened. */
export interface CheckedTenant {
  readonly factsKey: KeyObject;
  /** By `toKeyName`; keys that were erased are `erased`, or `being erased` while their rows may be there. */
  readonly keys: Map<string, CheckedKey>;
}

export type CheckedKey = KeyObject | 'erased' | 'being erased';

/** How a sealing key is named in a map. */
export const toKeyName = (keyId: string, version: number): string => `${keyId}/${version}`;

export interface KeyPorts {
  readonly cellId: CellId;
  readonly custody: Custody;
  readonly erasable: ErasableStore;
  /** The database as it is now. */
  readonly live: Pool;
}

interface ShredRow {
  readonly shred_key_id: string;
  readonly tenant_key_id: string;
  readonly tenant_key_version: string;
}

/** Opens every wrap. Gives the tenants whose keys could be had. */
export async function checkKeys(
  tx: PoolClient,
  findings: Findings,
  ports: KeyPorts,
  { workMsMax }: StuckLimits,
): Promise<ReadonlyMap<TenantId, CheckedTenant>> {
  const young = await readYoungErasures(tx, workMsMax);
  const { rows } = await tx.query<{ tenant_id: string }>(
    'SELECT tenant_id FROM keys.customer_keys',
  );
  const tenants = new Map<TenantId, CheckedTenant>();
  for (const { tenant_id: text } of rows) {
    const tenantId = parseTenantId(text);
    const open = await openTenant(findings, ports, tenantId);
    if (open === undefined) continue;
    const keys = new Map<string, CheckedKey>();
    await checkSubjectKeys(tx, findings, { ...ports, tenantId, open, keys, young });
    await checkCollectionKeys(tx, findings, { ...ports, tenantId, open, keys, young });
    tenants.set(tenantId, { factsKey: open.factsKey, keys });
  }
  await checkDestroyed(tx, findings, ports);
  return tenants;
}

/** Keys of erasures that began so lately that the rows may still be there: they go after the key. */
async function readYoungErasures(tx: PoolClient, workMsMax: number): Promise<ReadonlySet<string>> {
  const { rows } = await tx.query<{ key_id: string }>(
    `SELECT unnest(key_ids) AS key_id FROM keys.erasures
      WHERE accepted_at > now() - make_interval(secs => $1)`,
    [workMsMax / 1000],
  );
  return new Set(rows.map(({ key_id }) => key_id));
}

async function openTenant(
  findings: Findings,
  { custody }: KeyPorts,
  tenantId: TenantId,
): Promise<OpenTenant | undefined> {
  try {
    const open = await custody.open(tenantId);
    findings.count('tenant keys', open.tenantKeys.length);
    return open;
  } catch (error) {
    if (isCoded(error, 'KEYS_CUSTOMER_KEY_DISABLED')) findings.count('tenants disabled');
    else findings.add('wrap-unopened', `tenant ${tenantId}: ${toCode(error)}`);
    return undefined;
  }
}

const toCode = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'unknown';

interface TenantWork extends KeyPorts {
  readonly tenantId: TenantId;
  readonly open: OpenTenant;
  /** Keys whose erasure may still be under way. */
  readonly young: ReadonlySet<string>;
  readonly keys: Map<string, CheckedKey>;
}

async function openShredKeys(
  tx: PoolClient,
  findings: Findings,
  { custody, tenantId, open, live }: TenantWork,
): Promise<ReadonlyMap<string, KeyObject>> {
  const { rows } = await tx.query<ShredRow>(
    `SELECT shred_key_id, tenant_key_id, tenant_key_version FROM keys.shred_keys
      WHERE tenant_id = $1`,
    [tenantId],
  );
  const opened = new Map<string, KeyObject>();
  for (const row of rows) {
    const shredKeyId = parseKeyId(row.shred_key_id);
    const named = {
      tenantId,
      shredKeyId,
      tenantKeyId: parseKeyId(row.tenant_key_id),
      tenantKeyVersion: Number(row.tenant_key_version),
    };
    try {
      opened.set(shredKeyId, await custody.hierarchy.openShredKey(named, open.tenantKeys));
      findings.count('shred keys');
    } catch (error) {
      // An erasure may have retired it since the snapshot.
      if (await isStillThere(live, named)) {
        findings.add('wrap-unopened', `shred key ${shredKeyId}: ${toCode(error)}`);
      }
    }
  }
  return opened;
}

/** Looks again outside the snapshot, whose own view never changes. */
async function isStillThere(
  live: Pool,
  row: { readonly tenantId: TenantId; readonly shredKeyId: KeyId },
): Promise<boolean> {
  const { rows } = await live.query(
    'SELECT FROM keys.shred_keys WHERE tenant_id = $1 AND shred_key_id = $2',
    [row.tenantId, row.shredKeyId],
  );
  return rows.length > 0;
}

interface SubjectRow {
  readonly key_id: string;
  readonly version: string;
  readonly subject_id: string;
  readonly shred_key_id: string | null;
  readonly wrap: Buffer | null;
}

async function checkSubjectKeys(
  tx: PoolClient,
  findings: Findings,
  work: TenantWork,
): Promise<void> {
  const { cellId, tenantId, keys, young } = work;
  const shredKeys = await openShredKeys(tx, findings, work);
  let after: readonly [string, string] = ['00000000-0000-0000-0000-000000000000', '0'];
  for (;;) {
    const { rows } = await tx.query<SubjectRow>(
      `SELECT key_id, version, subject_id, shred_key_id, wrap FROM keys.subject_keys
        WHERE tenant_id = $1 AND (key_id, version) > ($2, $3)
        ORDER BY key_id, version LIMIT $4`,
      [tenantId, ...after, PAGE_COUNT],
    );
    for (const row of rows) {
      const name = toKeyName(row.key_id, Number(row.version));
      if (row.shred_key_id === null || row.wrap === null) {
        keys.set(name, young.has(row.key_id) ? 'being erased' : 'erased');
        findings.count('erased keys');
        continue;
      }
      const wrappingKey = shredKeys.get(row.shred_key_id);
      const context = toSubjectKeyContext(
        { cellId, tenantId },
        {
          keyId: parseKeyId(row.key_id),
          version: Number(row.version),
          subjectId: parseSubjectId(row.subject_id),
          shredKeyId: parseKeyId(row.shred_key_id),
        },
      );
      if (wrappingKey === undefined) findings.add('wrap-unopened', `subject key ${row.key_id}`);
      else open(findings, { keys, name }, () => unwrapKey(wrappingKey, row.wrap ?? EMPTY, context));
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE_COUNT) return;
    after = [last.key_id, last.version];
  }
}

const EMPTY = Buffer.alloc(0);

function open(
  findings: Findings,
  { keys, name }: { readonly keys: TenantWork['keys']; readonly name: string },
  unwrap: () => KeyObject,
): void {
  try {
    keys.set(name, unwrap());
    findings.count('sealing keys');
  } catch (error) {
    findings.add('wrap-unopened', `key ${name}: ${toCode(error)}`);
  }
}

interface CollectionRow {
  readonly key_id: string;
  readonly version: string;
  readonly collection_id: string;
  readonly tenant_key_id: string;
  readonly tenant_key_version: string;
  readonly wrap: Buffer;
}

async function checkCollectionKeys(
  tx: PoolClient,
  findings: Findings,
  { cellId, tenantId, open: tenant, keys }: TenantWork,
): Promise<void> {
  const { rows } = await tx.query<CollectionRow>(
    `SELECT key_id, version, collection_id, tenant_key_id, tenant_key_version, wrap
       FROM keys.collection_keys WHERE tenant_id = $1`,
    [tenantId],
  );
  for (const row of rows) {
    const name = toKeyName(row.key_id, Number(row.version));
    const tenantKey = tenant.tenantKeys.find(
      (one) => one.keyId === row.tenant_key_id && one.version === Number(row.tenant_key_version),
    );
    if (tenantKey === undefined) {
      findings.add('wrap-unopened', `key ${name}: no tenant key`);
      continue;
    }
    open(findings, { keys, name }, () =>
      unwrapKey(tenantKey.key, row.wrap, {
        kind: 'collection-key',
        cellId,
        tenantId,
        keyId: parseKeyId(row.key_id),
        version: Number(row.version),
        owner: parseCollectionId(row.collection_id),
        under: tenantKey.keyId,
        underVersion: tenantKey.version,
      }),
    );
  }
}

/** What erasures retired is neither in the database nor in any replica. */
async function checkDestroyed(
  tx: PoolClient,
  findings: Findings,
  { erasable }: KeyPorts,
): Promise<void> {
  const { rows } = await tx.query<{ tenant_id: string; retired: string; is_listed: boolean }>(
    `SELECT e.tenant_id, r.retired,
            EXISTS (SELECT FROM keys.shred_keys s
                     WHERE s.tenant_id = e.tenant_id AND s.shred_key_id = r.retired) AS is_listed
       FROM keys.erasures e CROSS JOIN LATERAL unnest(e.retired) AS r (retired)
      WHERE e.state = 'done'`,
  );
  for (const { tenant_id, retired, is_listed } of rows) {
    findings.count('destroyed keys');
    const name = { tenantId: parseTenantId(tenant_id), objectId: parseKeyId(retired) };
    const isThere = (await erasable.find(name)) !== undefined;
    if (isThere || is_listed) findings.add('shred-key-left', `shred key ${retired}`);
  }
}
