// SPDX-License-Identifier: Apache-2.0
// From the caller's own id of a person to the subject that it means today.
import type { SubjectId, TenantId } from '@bailiwick/kernel';
import { deriveSubjectId } from '@bailiwick/keys';
import type { CellServices } from '../services.ts';

/** The subject, with its standing prepared. `named` is the one that stands for all who had this id. */
export async function findSubject(
  services: Pick<CellServices, 'keys' | 'standings'>,
  tenantId: TenantId,
  callerId: string,
): Promise<{ readonly named: SubjectId; readonly subjectId: SubjectId }> {
  const { idKey } = await services.keys.secrets(tenantId);
  const named = deriveSubjectId(idKey, callerId);
  await services.standings.prepare(tenantId, [named]);
  const subjectId = services.standings.presentSubject(tenantId, named, idKey);
  await services.standings.prepare(tenantId, [subjectId]);
  return { named, subjectId };
}
