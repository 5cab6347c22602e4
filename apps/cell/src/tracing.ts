// SPDX-License-Identifier: Apache-2.0
// Traces of a cell: one span for each request, made when its answer is out, so that nothing is carried through
// the work and a cell without `telemetry.traces` does nothing at all. Spans obey residency like other data: a
// collector must stand in the jurisdiction of the cell.
import type { CellConfig } from '@bailiwick/contracts';
import { createTracer, type Log, type Meter, type Tracer } from '@bailiwick/telemetry';
import type { FastifyInstance } from 'fastify';
import { CellError } from './errors.ts';

/**
 * The tracer that the configuration asks for.
 *
 * @throws {CellError} `CELL_CONFIG_INVALID` for a collector in another jurisdiction than the cell's
 */
export function openTracer(ports: {
  readonly config: CellConfig;
  readonly log: Log;
  readonly meter: Meter;
}): Tracer | undefined {
  const { config, log, meter } = ports;
  const { traces, directory } = config.telemetry;
  if (traces === undefined) return undefined;
  const { otlp, share } = traces;
  if (otlp !== undefined && otlp.place !== config.location.jurisdiction) {
    throw new CellError(
      'CELL_CONFIG_INVALID',
      `\`telemetry.traces.otlp.place\` must be \`${config.location.jurisdiction}\`, where this cell stands`,
    );
  }
  const tracer = createTracer({
    resource: { 'service.name': 'bailiwick-cell', 'bailiwick.cell': config.cell },
    share,
    ...(traces.isFiled ? { file: { directory, component: 'cell' } } : {}),
    ...(otlp === undefined ? {} : { otlp: { url: otlp.url } }),
    onFailure: () => log.warn('traces could not be exported', {}),
  });
  meter
    .createObservableCounter('bailiwick.spans_dropped', {
      description: 'spans that nobody took in time',
    })
    .addCallback((result) => result.observe(tracer.droppedCount));
  return tracer;
}

/** A span for each request of this server, also for those that are refused before their route. */
export function registerTracing(
  app: FastifyInstance,
  options: { readonly tracer: Tracer; readonly clock: { nowMs(): number } },
): void {
  const { tracer, clock } = options;
  app.addHook('onResponse', (request, reply, done) => {
    const endMs = clock.nowMs();
    const { statusCode } = reply;
    // SECURITY: the route's template, never the path, which holds ids that callers chose.
    const route = request.routeOptions.url ?? 'unknown';
    tracer.end({
      name: `${request.method} ${route}`,
      kind: 'server',
      startMs: endMs - reply.elapsedTime,
      endMs,
      isError: statusCode >= 500,
      parent: request.headers['traceparent'],
      attributes: {
        'http.request.method': request.method,
        'http.route': route,
        'http.response.status_code': statusCode,
        'bailiwick.request.id': request.id,
        ...(statusCode >= 500 ? { 'error.type': String(statusCode) } : {}),
      },
    });
    done();
  });
  app.addHook('onClose', () => tracer.close());
}
