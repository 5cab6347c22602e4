// SPDX-License-Identifier: Apache-2.0
// `npm start --workspace examples/orders-app`: the example beside a running demonstration.
await import('../../examples/orders-app/src/main.ts');
