// SPDX-License-Identifier: Apache-2.0
export { type GcpKmsOptions, type GcpKmsProvider, openGcpKmsProvider } from './gcp-keys.ts';
