// SPDX-License-Identifier: Apache-2.0
import type { Session } from './api/types.ts';

/** What every page is given. */
export interface PageProps {
  readonly session: Session;
}
