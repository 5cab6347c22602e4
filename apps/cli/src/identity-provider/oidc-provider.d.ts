// SPDX-License-Identifier: Apache-2.0
// The package brings no types; this is what the demonstration and the tests use of it.
declare module 'oidc-provider' {
  import type { IncomingMessage, ServerResponse } from 'node:http';

  export interface Interaction {
    readonly uid: string;
    readonly params: Readonly<Record<string, unknown>>;
  }

  export class Provider {
    constructor(issuer: string, configuration: Readonly<Record<string, unknown>>);
    callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>;
    interactionDetails(request: IncomingMessage, response: ServerResponse): Promise<Interaction>;
    interactionResult(
      request: IncomingMessage,
      response: ServerResponse,
      result: Readonly<Record<string, unknown>>,
    ): Promise<string>;
    Grant: new (of: {
      readonly accountId: string;
      readonly clientId: string;
    }) => { addOIDCScope(scope: string): void; save(): Promise<string> };
  }

  interface PolicyContext {
    readonly oidc: { readonly result?: { readonly login?: unknown } };
  }
  interface PolicyCheck {
    readonly reason: string;
  }
  export const interactionPolicy: {
    readonly Check: {
      new (
        reason: string,
        description: string,
        check: (context: PolicyContext) => boolean,
      ): PolicyCheck;
      readonly REQUEST_PROMPT: true;
      readonly NO_NEED_TO_PROMPT: false;
    };
    base(): {
      get(name: string): { readonly checks: { add(check: PolicyCheck): void } };
      remove(name: string): void;
    };
  };
}
