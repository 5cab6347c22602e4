// SPDX-License-Identifier: Apache-2.0
// What the rooms of the process itself share beyond the inner API: configuration, the law as bundles
// bring it, the cell's own keys. Capabilities receive `CellServices` only.
import type { CellConfig } from '@bailiwick/contracts';
import type { CellSecrets } from './cell-secrets.ts';
import type { ChangeFeed } from './changes/change-feed.ts';
import type { CellEnforcement } from './enforcement/enforcement.ts';
import type { CellLaw } from './law/law.ts';
import type { OrderBook } from './orders/order-book.ts';
import type { CellServices } from './services.ts';
import type { CellStandings } from './subjects/standings.ts';

export interface CellRuntime extends CellServices {
  readonly config: CellConfig;
  readonly law: CellLaw;
  readonly enforcement: CellEnforcement;
  readonly secrets: CellSecrets;
  readonly standings: CellStandings;
  readonly orders: OrderBook;
  readonly feed: ChangeFeed;
}
