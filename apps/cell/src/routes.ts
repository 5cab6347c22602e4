// SPDX-License-Identifier: Apache-2.0
// All routes of a cell, capability by capability.
import type { TenantId } from '@bailiwick/kernel';
import type { MeterInPlace } from '@bailiwick/telemetry';
import type { FastifyInstance } from 'fastify';
import { registerArrivalRoutes, registerInternalArrivalRoutes } from './arrivals/routes.ts';
import { registerAssessmentRoutes } from './assessments/internal-routes.ts';
import type { CellBackups } from './backups/backup-service.ts';
import { registerBackupRoutes } from './backups/routes.ts';
import { registerCollectionRoutes } from './collections/routes.ts';
import { registerDecisionRoutes } from './decisions/routes.ts';
import { registerDeliveryRoutes, registerInternalDeliveryRoutes } from './deliveries/routes.ts';
import { registerEntryRoutes } from './entries/routes.ts';
import { registerErasureRoutes } from './erasures/routes.ts';
import { registerEvidenceRoutes } from './evidence/routes.ts';
import { registerHealthRoutes, registerInternalHealthRoutes } from './health/routes.ts';
import { addTask } from './jobs/jobs.ts';
import { registerCustodyRoutes } from './keys/custody-routes.ts';
import type { OpenKeyRing } from './keys/local-key-ring.ts';
import { registerKeyRoutes } from './keys/routes.ts';
import { registerCharterRoutes } from './law/charter-routes.ts';
import type { CellLedger } from './ledger/cell-ledger.ts';
import { registerLedgerRoutes } from './ledger/routes.ts';
import { registerEntrySearchRoutes } from './ledger/search-routes.ts';
import { registerOpenApi } from './openapi.ts';
import { registerOpeningRoutes } from './openings/routes.ts';
import { registerInternalOrderRoutes, registerOrderRoutes } from './orders/routes.ts';
import { registerOverviewRoutes } from './overview/routes.ts';
import type { PortalFile } from './portal/portal-files.ts';
import { registerPortalRoutes } from './portal/routes.ts';
import { registerRecordRoutes } from './records/routes.ts';
import { registerRequestRoutes } from './requests/routes.ts';
import type { RequestServices } from './requests/run-request.ts';
import { registerRetentionRoutes } from './retention/routes.ts';
import type { CellRuntime } from './runtime.ts';
import { registerSealRoutes } from './seals/routes.ts';
import { registerSignInRoutes, type SignInPorts } from './sign-ins/routes.ts';
import { registerHoldRoutes } from './subjects/hold-routes.ts';
import { registerStandingRoutes } from './subjects/routes.ts';
import { registerTenantRoutes } from './tenants/internal-routes.ts';
import type { TokenPorts } from './tokens/issue-tokens.ts';
import { registerTokenRoutes } from './tokens/routes.ts';
import { registerTransferRoutes } from './transfers/routes.ts';
import type { CellWitnesses } from './witnesses/cell-witnesses.ts';
import { registerInternalWitnessRoutes, registerWitnessRoutes } from './witnesses/routes.ts';

export interface PublicRouteParts {
  readonly runtime: CellRuntime;
  readonly ledger: CellLedger;
  readonly keys: OpenKeyRing;
  readonly witnesses: CellWitnesses;
  readonly tokens: TokenPorts;
  /** Absent: this cell serves no portal. */
  readonly portal?: {
    readonly signIns: SignInPorts;
    readonly files: ReadonlyMap<string, PortalFile>;
  };
}

/** A job takes up what the request's own process does not end. */
const JOB_DELAY_MS = 60_000;

/** What erasures and requests stand on. */
export function toRightsServices(runtime: CellRuntime, keys: OpenKeyRing): RequestServices {
  return {
    ...runtime,
    administration: keys.administration,
    addErasureJob: (tx, { tenantId, erasureId }) =>
      addTask(tx, { kind: 'erasure', tenantId, id: erasureId, delayMs: JOB_DELAY_MS }),
    addRequestJob: (tx, { tenantId, requestId }) =>
      addTask(tx, { kind: 'request', tenantId, id: requestId, delayMs: JOB_DELAY_MS }),
  };
}

/** Routes of the public listener. */
export async function registerPublicRoutes(
  app: FastifyInstance,
  parts: PublicRouteParts,
): Promise<void> {
  const { runtime, ledger, keys, witnesses, tokens, portal } = parts;
  await registerOpenApi(app);
  registerTokenRoutes(app, tokens);
  registerCharterRoutes(app, runtime);
  registerDecisionRoutes(app, runtime);
  registerSealRoutes(app, runtime);
  registerOpeningRoutes(app, runtime);
  registerEntryRoutes(app, runtime);
  registerCollectionRoutes(app, runtime);
  registerRecordRoutes(app, runtime);
  registerKeyRoutes(app, runtime, keys.administration);
  registerCustodyRoutes(app, runtime, keys.administration);
  const rights = toRightsServices(runtime, keys);
  registerErasureRoutes(app, rights);
  registerRequestRoutes(app, rights);
  registerRetentionRoutes(app, runtime, (tx, tenantId, id) =>
    addTask(tx, { kind: 'retention', tenantId, id }),
  );
  registerStandingRoutes(app, runtime);
  registerHoldRoutes(app, runtime);
  registerOrderRoutes(app, runtime);
  registerLedgerRoutes(app, runtime, ledger, witnesses.listTimes);
  registerEntrySearchRoutes(app, runtime, {
    ledger,
    tokenKey: runtime.secrets.macKey,
    findCosigned: witnesses.findCosigned,
  });
  registerEvidenceRoutes(app, runtime, ledger);
  registerWitnessRoutes(app, witnesses);
  registerTransferRoutes(app, runtime);
  registerDeliveryRoutes(app, runtime);
  registerArrivalRoutes(app, runtime);
  registerHealthRoutes(app, runtime);
  registerOverviewRoutes(app, runtime, ledger);
  if (portal === undefined) return;
  registerSignInRoutes(app, portal.signIns);
  registerPortalRoutes(app, portal.files);
}

export interface InternalRouteParts {
  readonly administration: OpenKeyRing['administration'];
  readonly runtime: CellRuntime;
  readonly figures: MeterInPlace;
  readonly onChange: (tenantId: TenantId) => void;
  readonly witnesses: CellWitnesses;
  readonly backups: CellBackups | undefined;
}

/** Routes of the internal listener. */
export function registerInternalRoutes(app: FastifyInstance, parts: InternalRouteParts): void {
  const { runtime, figures, onChange, witnesses, backups } = parts;
  registerTenantRoutes(app, runtime, { onChange });
  registerInternalDeliveryRoutes(app, runtime);
  registerInternalArrivalRoutes(app, runtime, parts.administration);
  registerInternalOrderRoutes(app, runtime);
  registerAssessmentRoutes(app, runtime);
  registerInternalWitnessRoutes(app, runtime, witnesses);
  registerBackupRoutes(app, backups);
  registerInternalHealthRoutes(app, runtime, () => figures.toText());
}
