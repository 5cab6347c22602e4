// SPDX-License-Identifier: Apache-2.0
// The providers of a cell's customer keys: the cell's own, and those that tenants' custody files name. Each
// is opened at its first use and has a gate of its own.
import type { CustodyConfig, KeyApprover, KeyProviderConfig } from '@bailiwick/contracts';
import { createDoubleProvider } from '@bailiwick/customer-keys';
import type { Clock, Random, TenantId } from '@bailiwick/kernel';
import { type CustomerKeyProvider, KeysError } from '@bailiwick/keys';
import { CELL_PROVIDER, type CustodyFiles } from './custody-files.ts';
import {
  type Custody,
  type OpenedProvider,
  openProvider,
  type ProviderSurroundings,
  toCustody,
} from './open-provider.ts';
import { ProviderGate } from './provider-gate.ts';

/** A provider as custody uses it. */
export interface GatedProvider {
  /** The word by which a customer key remembers it. */
  readonly name: string;
  /** Names the gate in this cell: providers of two tenants are never one. */
  readonly gateName: string;
  readonly provider: CustomerKeyProvider;
  readonly custody: Custody;
  readonly gate: ProviderGate;
}

export interface ProviderRegistry {
  /** Name of the provider of a tenant's first customer key. */
  homeOf(tenantId: TenantId): string;
  /** @throws {KeysError} `KEYS_PROVIDER_MISCONFIGURED` when the tenant has no such provider here */
  find(tenantId: TenantId, name: string): Promise<GatedProvider>;
  /** Providers that a tenant could use, by name. */
  list(tenantId: TenantId): readonly { readonly name: string; readonly kind: string }[];
  approversOf(tenantId: TenantId): readonly KeyApprover[];
  /** Told when a provider goes away or comes back. */
  onMode(listener: (gateName: string, isAway: boolean) => void): void;
  close(): Promise<void>;
}

export interface RegistryOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** The cell's own provider. */
  readonly own: KeyProviderConfig;
  readonly files: CustodyFiles;
  readonly surroundings: ProviderSurroundings;
}

type TenantProviderConfig = CustodyConfig['providers'][string];

interface Entry {
  readonly config: string;
  readonly opening: Promise<OpenedProvider & GatedProvider>;
}

class Registry implements ProviderRegistry {
  readonly #options: RegistryOptions;
  readonly #entries = new Map<string, Entry>();
  #listener: (gateName: string, isAway: boolean) => void = () => undefined;

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  onMode(listener: (gateName: string, isAway: boolean) => void): void {
    this.#listener = listener;
  }

  homeOf(tenantId: TenantId): string {
    return this.#options.files.of(tenantId).home ?? CELL_PROVIDER;
  }

  approversOf(tenantId: TenantId): readonly KeyApprover[] {
    return this.#options.files.of(tenantId).approvers;
  }

  list(tenantId: TenantId): readonly { readonly name: string; readonly kind: string }[] {
    const { own, files } = this.#options;
    const named = Object.entries(files.of(tenantId).providers);
    return [
      { name: CELL_PROVIDER, kind: own.kind },
      ...named.map(([name, { kind, withPlaceKey }]) => ({
        name,
        kind: withPlaceKey === true ? `${kind}+place` : kind,
      })),
    ];
  }

  async find(tenantId: TenantId, name: string): Promise<GatedProvider> {
    const { own, files } = this.#options;
    if (name === CELL_PROVIDER) return this.#open({ name, gateName: name, config: own });
    const providers = files.of(tenantId).providers;
    const config = Object.hasOwn(providers, name) ? providers[name] : undefined;
    if (config === undefined) {
      throw new KeysError(
        'KEYS_PROVIDER_MISCONFIGURED',
        'tenant has no provider of this name here',
      );
    }
    return this.#open({ name, gateName: `${tenantId}/${name}`, config });
  }

  #open(wanted: {
    readonly name: string;
    readonly gateName: string;
    readonly config: TenantProviderConfig;
  }): Promise<GatedProvider> {
    const { gateName } = wanted;
    const config = JSON.stringify(wanted.config);
    const known = this.#entries.get(gateName);
    if (known?.config === config) return known.opening;
    const opening = this.#make(wanted);
    this.#entries.set(gateName, { config, opening });
    opening.catch(() => {
      if (this.#entries.get(gateName)?.opening === opening) this.#entries.delete(gateName);
    });
    // What was open under another configuration ends with its last question.
    known?.opening.then(
      (before) => before.close(),
      () => undefined,
    );
    return opening;
  }

  async #make({
    name,
    gateName,
    config,
  }: {
    readonly name: string;
    readonly gateName: string;
    readonly config: TenantProviderConfig;
  }): Promise<OpenedProvider & GatedProvider> {
    const { clock, random, surroundings } = this.#options;
    const opened = await openProvider(config, surroundings);
    const gate = new ProviderGate({
      clock,
      random,
      onMode: (isAway) => this.#listener(gateName, isAway),
    });
    const shared = {
      name,
      gateName,
      gate,
      custody: toCustody(config),
      close: () => opened.close(),
    };
    if (config.withPlaceKey !== true) return { ...opened, ...shared };
    const place = await this.#open({
      name: CELL_PROVIDER,
      gateName: CELL_PROVIDER,
      config: this.#options.own,
    });
    const provider = createDoubleProvider({ place: place.provider, customer: opened.provider });
    return { ...shared, provider };
  }

  async close(): Promise<void> {
    for (const { opening } of this.#entries.values()) {
      await opening.then(
        (opened) => opened.close(),
        () => undefined,
      );
    }
    this.#entries.clear();
  }
}

/** The providers that a configuration and its custody files name. */
export function openProviderRegistry(options: RegistryOptions): ProviderRegistry {
  return new Registry(options);
}

/** One provider for all tenants, for tests and tools. */
export function createSingleRegistry(
  ports: { readonly clock: Clock; readonly random: Random },
  provider: CustomerKeyProvider,
): ProviderRegistry {
  let listener: (gateName: string, isAway: boolean) => void = () => undefined;
  const gate = new ProviderGate({
    ...ports,
    onMode: (isAway) => listener(CELL_PROVIDER, isAway),
  });
  const only: GatedProvider = {
    name: CELL_PROVIDER,
    gateName: CELL_PROVIDER,
    provider,
    custody: 'cell',
    gate,
  };
  return {
    homeOf: () => CELL_PROVIDER,
    find: async () => only,
    list: () => [{ name: CELL_PROVIDER, kind: provider.kind }],
    approversOf: () => [],
    onMode: (next) => {
      listener = next;
    },
    close: async () => undefined,
  };
}
