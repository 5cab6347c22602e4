// SPDX-License-Identifier: Apache-2.0
// `npm start [-- --once]`: the demonstration, as `bailiwick demo` starts it.
import { run } from 'bailiwick';

await run(['demo', ...process.argv.slice(2)]);
