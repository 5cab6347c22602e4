// SPDX-License-Identifier: Apache-2.0
// The verifier's files use Node's Buffer; browsers have none. Must be imported before them.
import { Buffer as BrowserBuffer } from 'buffer';

if (!('Buffer' in globalThis)) Object.assign(globalThis, { Buffer: BrowserBuffer });
