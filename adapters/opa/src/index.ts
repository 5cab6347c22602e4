// SPDX-License-Identifier: Apache-2.0
export { OpaError, type OpaErrorCode } from './errors.ts';
export { type OpaCounselOptions, openOpaCounsel } from './opa-counsel.ts';
