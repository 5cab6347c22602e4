// SPDX-License-Identifier: Apache-2.0
export * from './bundle.ts';
export * from './directory.ts';
export * from './parse-with.ts';
