// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '@bailiwick/kernel';

/** Codes of this room. */
export type EvidenceErrorCode = 'EVIDENCE_PACK_MALFORMED' | 'EVIDENCE_SOURCE_INVALID';

/** An archive that is no pack, or parts that do not make one. */
export class EvidenceError extends CodedError<EvidenceErrorCode> {}
