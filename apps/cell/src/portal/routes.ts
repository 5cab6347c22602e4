// SPDX-License-Identifier: Apache-2.0
// Serves the application under `/portal/`. It is the same for everybody and holds no data; what it shows it
// asks for like any other client. The policy lets it speak to this cell and to nobody else.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { CellError } from '../errors.ts';
import type { PortalFile } from './portal-files.ts';

/** SECURITY: no script but the application's own, no connection but to this cell, no frame, no form. */
export const CONTENT_POLICY: string = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': CONTENT_POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  vary: 'accept-encoding',
};
const FOR_EVER = 'public, max-age=31536000, immutable';

/** `GET /portal/*` */
export function registerPortalRoutes(
  app: FastifyInstance,
  files: ReadonlyMap<string, PortalFile>,
): void {
  const options = {
    config: { access: 'open', carriesPlaintext: false },
    schema: { hide: true },
  } as const;
  const toPortal = (_request: FastifyRequest, reply: FastifyReply) =>
    reply.redirect('/portal/', 308);
  app.get('/', options, toPortal);
  app.get('/portal', options, toPortal);
  app.get<{ Params: { '*': string } }>('/portal/*', options, (request, reply) => {
    const name = request.params['*'];
    // Pages are the application's own: it finds out by itself which one an address names.
    const file = files.get(name) ?? (name.includes('.') ? undefined : files.get('index.html'));
    if (file === undefined) throw new CellError('CELL_NOT_FOUND', 'the portal has no such file');
    return sendFile(request, reply, file);
  });
}

function sendFile(request: FastifyRequest, reply: FastifyReply, file: PortalFile): FastifyReply {
  reply.headers(HEADERS).header('etag', file.etag).type(file.contentType);
  reply.header('cache-control', file.isImmutable ? FOR_EVER : 'no-cache');
  if (request.headers['if-none-match'] === file.etag) return reply.code(304).send();
  const accepted = String(request.headers['accept-encoding'] ?? '');
  const found = file.encoded.find(({ coding }) => accepts(accepted, coding));
  if (found === undefined) return reply.send(file.identity);
  return reply.header('content-encoding', found.coding).send(found.bytes);
}

/** True when the header names the coding without giving it a weight of nought. */
function accepts(header: string, coding: string): boolean {
  return header
    .split(',')
    .map((part) => part.trim().split(';'))
    .some(([name, weight = '']) => name === coding && !/^\s*q=0(?:\.0*)?$/.test(weight));
}
