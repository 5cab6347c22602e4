// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '@bailiwick/kernel';

/** Codes of this room. */
export type AtlasErrorCode =
  | 'ATLAS_DATE_INVALID'
  | 'ATLAS_DATE_UNKNOWN'
  | 'ATLAS_JURISDICTION_UNKNOWN'
  | 'ATLAS_GROUPING_UNKNOWN'
  | 'ATLAS_REGIME_UNKNOWN';

/** A question the atlas cannot answer because a name or date in it is not known here. */
export class AtlasError extends CodedError<AtlasErrorCode> {}
