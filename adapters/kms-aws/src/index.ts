// SPDX-License-Identifier: Apache-2.0
export { type AwsKmsOptions, type AwsKmsProvider, openAwsKmsProvider } from './aws-keys.ts';
