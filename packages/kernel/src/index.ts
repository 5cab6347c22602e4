// SPDX-License-Identifier: Apache-2.0
export * from './decision.ts';
export * from './errors.ts';
export * from './flow.ts';
export * from './id.ts';
export * from './instant.ts';
export * from './json.ts';
export * from './label.ts';
export * from './ports.ts';
