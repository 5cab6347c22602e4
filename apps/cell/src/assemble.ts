// SPDX-License-Identifier: Apache-2.0
// Puts a cell together from a configuration: the only place that knows all its parts. `main.ts` gives it
// the key service's client; tests give it a key service of their own and talk to it in the same process.
import { createPrivateKey } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { CellConfig } from '@bailiwick/contracts';
import type { Clock, Random, TenantId } from '@bailiwick/kernel';
import { parsePinnedKey } from '@bailiwick/keys';
import {
  createAccessTokenVerifier,
  createResidencyClaimVerifier,
  createTokenIssuer,
  type TokenKey,
} from '@bailiwick/oidc';
import { type Identity, openIdentity, tlsServerOptions } from '@bailiwick/pki';
import type { Counsel } from '@bailiwick/policy';
import { type Database, openDatabase, prepareCellDatabase } from '@bailiwick/postgres';
import { createMeterInPlace, type Log, type MeterInPlace } from '@bailiwick/telemetry';
import type { FastifyInstance } from 'fastify';
import { type Background, createBackground } from './background.ts';
import { type Admission, createAdmission } from './backpressure.ts';
import { type CellBackups, openCellBackups } from './backups/backup-service.ts';
import { type CellSecrets, openCellSecrets } from './cell-secrets.ts';
import { type ChangeFeed, createChangeFeed } from './changes/change-feed.ts';
import { readSecretFile } from './config.ts';
import { openPeerClient, type PeerClient } from './control/peer-client.ts';
import { openCounsels } from './counsels/open-counsels.ts';
import {
  type CredentialVerifier,
  createCredentialVerifier,
  type TenantDirectory,
} from './credentials/credential-verifier.ts';
import { createSignInDirectory, type SignInDirectory } from './credentials/sign-in-directory.ts';
import { createEnforcement } from './enforcement/enforcement.ts';
import { CellError } from './errors.ts';
import { createIdempotencyStore } from './idempotency/idempotency-store.ts';
import { createInternalServer } from './internal/server.ts';
import type { KeyTerms } from './key-service/api.ts';
import type { OpenKeyRing } from './keys/local-key-ring.ts';
import type { BundlePuller } from './law/bundle-puller.ts';
import { type CellLaw, createLaw } from './law/law.ts';
import { type BundleInForce, parseCellKey } from './law/law-in-force.ts';
import { createLawStore } from './law/law-store.ts';
import { type CellLedger, createCellLedger } from './ledger/cell-ledger.ts';
import { observeLocation } from './location.ts';
import { createOrderBook, type OrderBook } from './orders/order-book.ts';
import { readPortalFiles } from './portal/portal-files.ts';
import { createServeGate, type ServeGate } from './restores/serve-gate.ts';
import { countEntries } from './rollups/counted-entries.ts';
import {
  type PublicRouteParts,
  registerInternalRoutes,
  registerPublicRoutes,
  toRightsServices,
} from './routes.ts';
import type { CellRuntime } from './runtime.ts';
import { createPublicServer } from './server.ts';
import type { EntryWriter } from './services.ts';
import { withSessions } from './sign-ins/session-credentials.ts';
import { type CellStandings, createStandings } from './subjects/standings.ts';
import { takeTenants } from './tenants/take-tenants.ts';
import { openTracer, registerTracing } from './tracing.ts';
import { type CellWitnesses, openCellWitnesses } from './witnesses/cell-witnesses.ts';

/** What an assembled cell stands on. */
export interface CellFoundation {
  readonly config: CellConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Opens the way to the key service. */
  readonly openKeys: (ports: KeyPorts) => Promise<OpenKeyRing>;
}

/** What the keys may use of the cell. */
export interface KeyPorts {
  readonly config: CellConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly database: Database;
  readonly identity: Identity;
  readonly log: Log;
}

/** A cell in this process. */
export interface Cell {
  readonly runtime: CellRuntime;
  readonly keys: OpenKeyRing;
  readonly ledger: CellLedger;
  readonly witnesses: CellWitnesses;
  readonly backups: CellBackups | undefined;
  readonly gate: ServeGate;
  readonly publicServer: FastifyInstance;
  readonly internalServer: FastifyInstance;
  readonly puller: BundlePuller;
  readonly credentials: CredentialVerifier;
  /** Listens; what is asked from now on is answered. */
  listen(): Promise<{ readonly publicPort: number; readonly internalPort: number }>;
  /** Starts what runs by itself: following the control plane, jobs, roll-ups. */
  start(): Promise<void>;
  /** Lets running work end, then lets go of everything. */
  stop(): Promise<void>;
}

interface Parts extends CellFoundation {
  readonly secrets: CellSecrets;
  readonly identity: Identity;
  readonly database: Database;
  readonly figures: MeterInPlace;
  readonly law: CellLaw;
  readonly ledger: CellLedger;
  readonly keys: OpenKeyRing;
  readonly control: PeerClient;
  readonly feed: ChangeFeed;
  readonly standings: CellStandings;
  readonly orders: OrderBook;
  readonly counsels: readonly Counsel[];
}

/**
 * Assembles a cell: checks where it stands, opens database, ledger and keys, brings the last good bundle
 * back. Nothing listens yet.
 *
 * @throws {CellError} `CELL_LOCATION_MISMATCH`, `CELL_STATE_MISSING`, `CELL_CONFIG_INVALID`
 */
export async function assembleCell(foundation: CellFoundation): Promise<Cell> {
  const { config, log } = foundation;
  const observed = observeLocation(config);
  log.info('location observed', { jurisdiction: observed.jurisdiction, kind: observed.kind });
  const counsels = await openCounsels(config, foundation.clock);
  const secrets = openCellSecrets(config);
  const identity = openIdentity(config.identity);
  await prepareDatabase(config);
  const figures = createMeterInPlace();
  const database = openDatabase({
    url: readSecretFile(config.database.urlFile),
    poolSize: config.database.poolSize,
    applicationName: `cell ${config.cell}`,
    onIdleError: (code) => log.warn('database connection lost', { code }),
  });
  const ledger = openLedger(foundation, database);
  const law = createLaw({ ...foundation, store: createLawStore(config.state) }, toTrust(config));
  const keys = await foundation.openKeys({ ...foundation, database, identity });
  const control = openPeerClient(identity, config.control);
  const feed = createChangeFeed({ database, log });
  const { macKey } = secrets;
  const people = {
    feed,
    standings: createStandings({ ...foundation, database, keys, feed }),
    orders: createOrderBook({ ...foundation, database, macKey, feed }),
  };
  await feed.start();
  const parts = {
    ...{
      ...foundation,
      ...people,
      counsels,
      secrets,
      identity,
      database,
      figures,
      law,
      ledger,
      keys,
      control,
    },
  };
  return build(parts);
}

async function prepareDatabase({ database, backups }: CellConfig): Promise<void> {
  if (database.ownerUrlFile === undefined) return;
  const passwordOf = (file: string): string => {
    const url = URL.parse(readSecretFile(file));
    if (url !== null) return decodeURIComponent(url.password);
    throw new CellError('CELL_CONFIG_INVALID', `\`${file}\` holds no postgres:// url`);
  };
  await prepareCellDatabase({
    ownerUrl: readSecretFile(database.ownerUrlFile),
    cellPassword: passwordOf(database.urlFile),
    keysPassword: passwordOf(database.keysUrlFile),
    ...(backups === undefined ? {} : { backupPassword: passwordOf(backups.urlFile) }),
  });
}

function openLedger(foundation: CellFoundation, database: Database): CellLedger {
  const { config } = foundation;
  const { keyFile, epoch } = config.ledger;
  const privateKey = createPrivateKey(readSecretFile(keyFile));
  return createCellLedger({ ...foundation, cellId: config.cell, epoch, privateKey, database });
}

function toTrust({ cell, control, trust }: CellConfig): Parameters<typeof createLaw>[1] {
  return {
    cellId: cell,
    bundleKeys: control.bundleKeys.map(parsePinnedKey),
    approvers: trust.approvers.map(({ key }) => parsePinnedKey(key)),
    threshold: trust.threshold,
  };
}

async function build(parts: Parts): Promise<Cell> {
  const { config, clock, law, ledger, keys, database, log, secrets } = parts;
  const runtime = toRuntime(parts);
  const signIns = createSignInDirectory({
    ...{ clock, database, macKey: secrets.macKey, log },
    ...toRedirect(config),
  });
  const tenants = toTenantDirectory(law, signIns);
  const { credentials: bearers, issuer, forget } = toCredentials(parts, tenants);
  const portal = openPortal(parts, { runtime, tenants, signIns });
  const credentials = portal === undefined ? bearers : withSessions(bearers, portal.signIns);
  const admission = createAdmission(config.limits);
  observeQueues(parts, admission);
  followBundles(parts, runtime.entries, signIns);
  if (await law.restore()) await refreshSignIns(law.current(), signIns);
  const idempotency = createIdempotencyStore(database, secrets.macKey);
  const backups = await openCellBackups(runtime, ledger);
  const witnesses = openCellWitnesses(parts, backups?.ledgerCopy);
  const gate = await createServeGate({
    ...{ cellId: config.cell, clock, log, database, ledger, witnesses },
    ...{ vault: backups?.vault, services: runtime, hasLaw: () => law.find() !== undefined },
  });
  if (gate.isHeld) void gate.opened.then(() => ledger.start());
  else ledger.start();
  const publicServer = createPublicServer(runtime, {
    ...config.limits,
    assertServing: () => gate.assertServing(),
    name: config.public.name,
    admission,
    credentials,
    idempotency,
    transport: tlsServerOptions(config.public),
  });
  const tracer = openTracer({ config, log, meter: parts.figures.meter });
  if (tracer !== undefined) registerTracing(publicServer, { tracer, clock });
  await registerPublicRoutes(publicServer, {
    runtime,
    ledger,
    keys,
    witnesses,
    tokens: { clock, database, audience: config.public.name, issuer, credentials, tenants },
    ...(portal === undefined ? {} : { portal }),
  });
  const internalServer = createInternalServer(runtime, parts.identity);
  const onChange = (tenantId: TenantId): void => {
    forget();
    signIns
      .refresh(tenantId, law.find()?.termsOf(tenantId))
      .catch((error: unknown) => log.error('sign-in could not be refreshed', { error }));
  };
  registerInternalRoutes(internalServer, {
    runtime,
    administration: keys.administration,
    figures: parts.figures,
    onChange,
    witnesses,
    backups,
  });
  const { identity, control, figures } = parts;
  const background = await createBackground({
    ...{ runtime, identity, control, figures, idempotency, admission },
    rounds: witnesses.rounds,
    ledger,
    whenServing: gate.opened,
    rights: toRightsServices(runtime, keys),
  });
  const running = { admission, background, backups, gate, publicServer, internalServer };
  return {
    runtime,
    keys,
    ledger,
    witnesses,
    backups,
    gate,
    publicServer,
    internalServer,
    puller: background.puller,
    credentials,
    async listen() {
      gate.start();
      await publicServer.listen({ host: config.public.host, port: config.public.port });
      await internalServer.listen({ host: config.internal.host, port: config.internal.port });
      return { publicPort: portOf(publicServer), internalPort: portOf(internalServer) };
    },
    async start() {
      await background.start();
      // A database that was set back must not be copied over what knows better.
      void gate.opened.then(() => backups?.start());
    },
    stop: () => stop(parts, running),
  };
}

function toRedirect({ portal }: CellConfig): { readonly redirectUri?: string } {
  return portal === undefined ? {} : { redirectUri: `${portal.origin}/v1/sign-in-answers` };
}

function openPortal(
  { config, clock, random, database, secrets }: Parts,
  known: {
    readonly runtime: CellRuntime;
    readonly tenants: TenantDirectory;
    readonly signIns: SignInDirectory;
  },
): PublicRouteParts['portal'] {
  if (config.portal === undefined) return undefined;
  const { directory, origin } = config.portal;
  const { runtime: services, ...directories } = known;
  const signIns = {
    ...{ clock, random, database, services, origin, ...directories },
    cellId: config.cell,
    macKey: secrets.macKey,
  };
  return { signIns, files: readPortalFiles(directory) };
}

function toRuntime(parts: Parts): CellRuntime {
  const { config, clock, random, database, law, ledger, keys, log, figures, secrets } = parts;
  const { counsels } = parts;
  const { meter } = figures;
  const entries = countEntries(ledger.entries, meter);
  const site = {
    cellId: config.cell,
    jurisdiction: config.location.jurisdiction,
    operator: config.operator.jurisdiction,
  };
  const { feed, orders, standings } = parts;
  const enforcement = createEnforcement({
    ...{ clock, law, entries, orders, meter, site },
    ...(counsels.length === 0 ? {} : { counsels }),
  });
  return {
    config,
    secrets,
    cellId: config.cell,
    clock,
    random,
    database,
    law,
    keys,
    entries,
    enforcement,
    standings,
    orders,
    feed,
    log,
    meter,
  };
}

function toTenantDirectory(law: CellLaw, signIns: SignInDirectory): TenantDirectory {
  return {
    findTenant(tenantId) {
      const tenant = law.current().findTenant(tenantId);
      return tenant && { ...tenant, issuers: signIns.verifiersOf(tenantId) };
    },
    isResidency: (residency) => law.current().charter.residencies.includes(residency),
    homeOf(tenantId, residency) {
      const inForce = law.current();
      const cell = inForce.homeOf(tenantId, residency);
      if (cell === undefined) return undefined;
      const name = inForce.findCell(cell)?.name;
      return name === undefined ? { cell } : { cell, name };
    },
  };
}

function toCredentials(
  { config, clock, random, law, secrets }: Parts,
  tenants: TenantDirectory,
): {
  readonly credentials: CredentialVerifier;
  readonly issuer: ReturnType<typeof createTokenIssuer>;
  readonly forget: () => void;
} {
  const { name } = config.public;
  const own: readonly TokenKey[] = [{ keyId: secrets.keyId, publicKey: secrets.verificationKey }];
  const access = createAccessTokenVerifier(clock, { issuer: name, keys: () => own });
  const keysOf = (claimIssuer: string): readonly TokenKey[] => {
    if (claimIssuer === name) return own;
    const cell = law.find()?.bundle.cells.find((one) => one.name === claimIssuer);
    if (cell?.signingKey === undefined) return [];
    const { keyId } = parsePinnedKey(cell.signingKey);
    return [{ keyId, publicKey: parseCellKey(cell.signingKey) }];
  };
  const claims = createResidencyClaimVerifier(clock, { keysOf });
  const issuer = createTokenIssuer(
    { clock, random },
    { issuer: name, keyId: secrets.keyId, privateKey: secrets.signingKey },
  );
  return {
    credentials: createCredentialVerifier({ cellId: config.cell, access, claims, tenants }),
    issuer,
    forget: () => {
      access.cache.clear();
      claims.cache.clear();
    },
  };
}

/** Before a bundle comes into force: its tenants have rows and keys, and the change is on record. */
function followBundles(parts: Parts, entries: EntryWriter, signIns: SignInDirectory): void {
  const { law, database, keys } = parts;
  const ports = {
    database,
    entries,
    provisionKeys: (tenantId: TenantId, terms: KeyTerms) =>
      keys.administration.provisionTenant(tenantId, terms),
    onKeyless: (code: string) => parts.log.warn('a tenant is without keys', { code }),
  };
  law.onBundle(async (next, change) => {
    await takeTenants(ports, next);
    await refreshSignIns(next, signIns);
    const { bundle, hash } = next;
    await entries.record(undefined, {
      kind: 'bundle',
      facts: {
        serial: bundle.serial,
        charterSerial: bundle.charter.serial,
        charter: hash,
        tenants: bundle.tenants.length,
        widenings: change.widenings,
        narrowings: change.narrowings,
        homesChanged: change.homesChanged,
        termsWidened: change.termsWidened,
        trustChanged: change.isTrustChanged,
        approvedBy: change.approvedBy,
        ...(bundle.candidate === undefined ? {} : { candidateSerial: bundle.candidate.serial }),
      },
    });
  });
}

async function refreshSignIns(law: BundleInForce, signIns: SignInDirectory): Promise<void> {
  for (const { tenantId } of law.bundle.tenants) {
    await signIns.refresh(tenantId, law.termsOf(tenantId));
  }
}

function observeQueues({ figures: { meter } }: Parts, admission: Admission): void {
  const inFlight = meter.createObservableGauge('bailiwick.requests.in_flight');
  inFlight.addCallback((result) => result.observe(admission.inFlightCount));
  const waiting = meter.createObservableGauge('bailiwick.requests.waiting');
  waiting.addCallback((result) => result.observe(admission.waitingCount));
}

function portOf(app: FastifyInstance): number {
  const address: AddressInfo | string | null = app.server.address();
  if (typeof address === 'object' && address !== null) return address.port;
  throw new CellError('CELL_CONFIG_INVALID', 'the listener has no port');
}

const DRAIN_MS_MAX = 2_500;

interface Running {
  readonly admission: Admission;
  readonly background: Background;
  readonly backups: CellBackups | undefined;
  readonly gate: ServeGate;
  readonly publicServer: FastifyInstance;
  readonly internalServer: FastifyInstance;
}

/** Who asks first, then who works, then what they stand on. */
async function stop(parts: Parts, running: Running): Promise<void> {
  const { admission, background, publicServer, internalServer } = running;
  await Promise.all([background.quiet(), running.gate.stop()]);
  const limit = new Promise<void>((resolve) => setTimeout(resolve, DRAIN_MS_MAX).unref());
  await Promise.race([Promise.all([admission.drain(), background.drain()]), limit]);
  publicServer.server.closeAllConnections();
  await Promise.all([publicServer.close(), internalServer.close()]);
  await background.close();
  await running.backups?.stop();
  parts.feed.stop();
  await parts.ledger.stop();
  await Promise.all(parts.counsels.map((counsel) => counsel.close()));
  await parts.keys.close();
  await parts.control.close();
  await parts.database.close();
  parts.identity.close();
  parts.log.flush();
}
