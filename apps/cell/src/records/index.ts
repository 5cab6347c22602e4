// SPDX-License-Identifier: Apache-2.0
export { RECORD_PROBLEMS, RecordError } from './errors.ts';
export { listRows } from './record-store.ts';
export { registerRecordRoutes } from './routes.ts';
export { digestRow } from './row.ts';
