// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '@bailiwick/kernel';

/** Codes of the router. */
export type RouterErrorCode =
  | 'ROUTER_CONFIG_INVALID'
  | 'ROUTER_HELLO_INVALID'
  | 'ROUTER_DIRECTORY_REFUSED'
  | 'ROUTER_CONTROL_UNREACHABLE'
  | 'ROUTER_DISCOVERY_ONLY'
  | 'ROUTER_CLAIM_MISSING'
  | 'ROUTER_CLAIM_INVALID'
  | 'ROUTER_CLAIM_FORBIDDEN'
  | 'ROUTER_HOME_UNKNOWN'
  | 'ROUTER_DIRECTORY_ABSENT';

/** A failure of the router. */
export class RouterError extends CodedError<RouterErrorCode> {}
