// SPDX-License-Identifier: Apache-2.0
export { type CedarCounselOptions, createCedarCounsel } from './cedar-counsel.ts';
export { CedarError, type CedarErrorCode } from './errors.ts';
