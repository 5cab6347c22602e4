// SPDX-License-Identifier: Apache-2.0
// What leaves a cell: looked at before, asked for, signed for, stopped.
import type { Answer } from './answer.ts';
import type { Caller, CallOptions } from './caller.ts';
import type { TransferAnswer, TransferPreview, TransferRequest } from './wire.ts';

/** Transfers out of one cell. */
export interface Transfers {
  /** Counts and shapes of what would leave, what is still to be signed; never a value. */
  preview(request: TransferRequest, options?: CallOptions): Promise<Answer<TransferPreview>>;
  create(request: TransferRequest, options?: CallOptions): Promise<Answer<TransferAnswer>>;
  get(transferId: string, options?: CallOptions): Promise<Answer<TransferAnswer>>;
  /** The newest hundred. */
  list(options?: CallOptions): Promise<Answer<{ readonly items: readonly TransferAnswer[] }>>;
  /** Hands in a DSSE envelope over a `TransferApproval`. */
  approve(
    transferId: string,
    approval: unknown,
    options?: CallOptions,
  ): Promise<Answer<TransferAnswer>>;
  /** For good, and at once: the next chunk does not leave. */
  stop(transferId: string, options?: CallOptions): Promise<Answer<TransferAnswer>>;
}

/** Makes the transfers of a cell out of the way to call it. */
export function createTransfers(call: Caller): Transfers {
  const pathOf = (transferId: string): string => `/v1/transfers/${encodeURIComponent(transferId)}`;
  return {
    preview: (request, options) =>
      call({ method: 'POST', path: '/v1/transfers/previews', body: request }, options),
    create: (request, options) =>
      call({ method: 'POST', path: '/v1/transfers', body: request }, options),
    get: (transferId, options) => call({ method: 'GET', path: pathOf(transferId) }, options),
    list: (options) => call({ method: 'GET', path: '/v1/transfers' }, options),
    approve: (transferId, approval, options) =>
      call(
        { method: 'POST', path: `${pathOf(transferId)}/approvals`, body: { approval } },
        options,
      ),
    stop: (transferId, options) =>
      call({ method: 'POST', path: `${pathOf(transferId)}/stops`, body: {} }, options),
  };
}
