// SPDX-License-Identifier: Apache-2.0
import type { FastifyInstance } from 'fastify';
import { CellError } from '../errors.ts';
import {
  EXCHANGE_GRANT,
  issueAccessToken,
  issueResidencyClaim,
  RESIDENCY_TOKEN_TYPE_URN,
  type TokenForm,
  type TokenPorts,
} from './issue-tokens.ts';

const FORM_TYPE = 'application/x-www-form-urlencoded';
const FORM_SIZE_BYTES_MAX = 32_768;

/** `POST /v1/tokens`: OAuth 2.0 token endpoint (RFC 6749 §3.2). */
export function registerTokenRoutes(app: FastifyInstance, ports: TokenPorts): void {
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(FORM_TYPE, { parseAs: 'string' }, (_request, body, done) => {
      try {
        done(null, parseForm(String(body)));
      } catch (error) {
        done(error instanceof Error ? error : null);
      }
    });
    scope.post<{ Body: TokenForm }>(
      '/v1/tokens',
      {
        config: { access: 'open', idempotency: 'none' },
        bodyLimit: FORM_SIZE_BYTES_MAX,
        schema: {
          summary: 'Access token (private_key_jwt) or residency claim (token exchange)',
          tags: ['identity'],
          consumes: [FORM_TYPE],
        },
      },
      async (request, reply) => {
        reply.header('pragma', 'no-cache');
        return issue(ports, request.body ?? {});
      },
    );
  });
}

/** SECURITY: a field given twice could be read as one value here and as another by somebody in front. */
function parseForm(text: string): TokenForm {
  const form: Record<string, string> = Object.create(null);
  for (const [name, value] of new URLSearchParams(text)) {
    if (name in form) {
      throw new CellError('CELL_INPUT_INVALID', 'see `errors`', {
        places: [{ pointer: '', detail: 'expected each field once' }],
      });
    }
    form[name] = value;
  }
  return form;
}

async function issue(ports: TokenPorts, form: TokenForm): Promise<Record<string, unknown>> {
  const nowMs = ports.clock.nowMs();
  const toExpiry = (expiresAtMs: number): number => Math.floor((expiresAtMs - nowMs) / 1000);
  switch (form['grant_type']) {
    case 'client_credentials': {
      const { token, expiresAtMs } = await issueAccessToken(ports, form);
      return { access_token: token, token_type: 'Bearer', expires_in: toExpiry(expiresAtMs) };
    }
    case EXCHANGE_GRANT: {
      const { token, expiresAtMs } = await issueResidencyClaim(ports, form);
      return {
        access_token: token,
        issued_token_type: RESIDENCY_TOKEN_TYPE_URN,
        // RFC 8693 §2.2.1: the token is not for the Authorization header.
        token_type: 'N_A',
        expires_in: toExpiry(expiresAtMs),
      };
    }
    default:
      throw new CellError('CELL_INPUT_INVALID', 'see `errors`', {
        places: [{ pointer: '/grant_type', detail: 'expected a supported grant' }],
      });
  }
}
