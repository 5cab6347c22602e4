// SPDX-License-Identifier: Apache-2.0
// The blind index of a value, so that an application can look a person up in its own SQL. Asking for one
// is a search: it is decided and entered as such, for the strictest label that the field can have here.
import type { BlindIndexRequest } from '@bailiwick/contracts';
import { parseCollectionId } from '@bailiwick/kernel';
import { blindIndex } from '@bailiwick/keys';
import { collectionsOf } from '../collections/collection-store.ts';
import { CellError } from '../errors.ts';
import { indexKeyOf } from '../seals/seal-values.ts';
import type { CellServices, FlowRequest } from '../services.ts';
import type { OpenAsker } from './open-values.ts';

export async function toBlindIndex(
  services: CellServices,
  asker: OpenAsker,
  { collection: name, field, value }: BlindIndexRequest,
): Promise<{ readonly index: string }> {
  const { credential } = asker;
  const collectionId = parseCollectionId(name);
  const collection = await collectionsOf(services).get(credential.tenantId, collectionId);
  const compiled = collection.fields.get(field);
  if (compiled?.index === undefined) {
    throw new CellError('CELL_INPUT_INVALID', 'see `errors`', {
      places: [{ pointer: '/field', detail: 'expected a field that the schema gives an index' }],
    });
  }
  const decided = await services.enforcement.require(credential, {
    action: 'search',
    class: compiled.fieldSet.class,
    categories: [compiled.fieldSet.category],
    purpose: asker.purpose,
    ...toHomeData(services),
  });
  const secrets = await services.keys.secrets(credential.tenantId);
  const key = await indexKeyOf(secrets, collectionId, field);
  const index = blindIndex(key, compiled.index, String(value)).toString('base64url');
  await services.entries.record(credential.tenantId, {
    kind: 'read',
    ...services.enforcement.toDraft(credential, decided),
    facts: { door: 'blind-index', collection: collectionId, field },
  });
  return { index };
}

/** The origins that live here decide together: all their regimes, and the cell's own country. */
function toHomeData({
  cellId,
  law,
}: CellServices): Pick<FlowRequest, 'regimes' | 'origin' | 'residency'> {
  const { charter } = law.current();
  const here = charter.cells.find(({ id }) => id === cellId);
  const home = charter.homes.get(here?.location ?? '');
  if (here === undefined || home?.ok !== true || home.cellId !== cellId) {
    throw new CellError(
      'CELL_ROLE_FORBIDDEN',
      'the charter gives no home to the country of this cell',
    );
  }
  return { origin: here.location, regimes: home.regimes, residency: home.residency };
}
