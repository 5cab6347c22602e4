// SPDX-License-Identifier: Apache-2.0
export { loadControlConfig } from './config.ts';
export { type Control, openControl } from './control.ts';
export { ControlError, type ControlErrorCode } from './errors.ts';
export { CONTROL_COLUMNS } from './guard/columns.ts';
export {
  findPersonalData,
  type GuardProfile,
  type PersonalFinding,
  type PersonalKind,
} from './guard/personal-data.ts';
export {
  findPersonalTraces,
  type PersonalTrace,
  type PersonalWalk,
  type QueryClient,
} from './guard/personal-traces.ts';
