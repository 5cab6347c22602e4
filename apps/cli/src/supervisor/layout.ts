// SPDX-License-Identifier: Apache-2.0
// Where everything of a demonstration lies and listens. All paths and ports follow from the state
// directory and the first port.
import path from 'node:path';

export const TRUST_DOMAIN = 'bailiwick.localhost';
/** Jurisdiction of the demonstration's operator and its name. */
export const OPERATOR_NAME = 'bailiwick-demo';

/** A cell of the demonstration, its files and its ports. */
export interface CellPlan {
  readonly residency: string;
  /** `eu-de/main` */
  readonly cell: string;
  /** Jurisdiction where it stands. */
  readonly jurisdiction: string;
  /** Jurisdiction whose law reaches its operator. */
  readonly operator: string;
  readonly name: string;
  /** How browsers name it. */
  readonly origin: string;
  readonly spiffeId: string;
  readonly keyServiceSpiffeId: string;
  readonly directory: string;
  readonly ports: {
    readonly public: number;
    readonly internal: number;
    readonly keyService: number;
    readonly postgres: number;
  };
}

export interface Layout {
  readonly state: string;
  readonly authority: string;
  readonly accounts: string;
  readonly approvers: string;
  readonly control: {
    readonly directory: string;
    readonly port: number;
    readonly postgresPort: number;
    readonly spiffeId: string;
  };
  readonly router: {
    readonly directory: string;
    readonly port: number;
    readonly name: string;
    readonly spiffeId: string;
  };
  readonly operator: { readonly directory: string; readonly spiffeId: string };
  /** Where the demonstration's people sign in. */
  readonly identityProvider: {
    readonly directory: string;
    readonly port: number;
    readonly issuer: string;
  };
  readonly cells: readonly CellPlan[];
}

const PLACES = [
  { residency: 'eu-de', jurisdiction: 'de', operator: 'de' },
  { residency: 'uk-lon', jurisdiction: 'uk', operator: 'uk' },
  { residency: 'us-va', jurisdiction: 'us-va', operator: 'us' },
  { residency: 'au-syd', jurisdiction: 'au', operator: 'au' },
] as const;

const toSpiffeId = (suffix: string): string => `spiffe://${TRUST_DOMAIN}/${suffix}`;

/** Lays out a demonstration under a state directory, from this port on. */
export function createLayout(options: {
  readonly state: string;
  readonly firstPort: number;
  /** Default: all four. */
  readonly residencies?: readonly string[];
}): Layout {
  const { state, firstPort, residencies } = options;
  const places = PLACES.filter(({ residency }) => residencies?.includes(residency) ?? true);
  const at = (...parts: string[]): string => path.join(state, ...parts);
  return {
    state,
    authority: at('identity'),
    accounts: at('accounts'),
    approvers: at('approvers'),
    control: {
      directory: at('control'),
      port: firstPort,
      postgresPort: firstPort + 1,
      spiffeId: toSpiffeId('control'),
    },
    router: {
      directory: at('router'),
      port: firstPort + 2,
      name: TRUST_DOMAIN,
      spiffeId: toSpiffeId('router'),
    },
    operator: { directory: at('operator'), spiffeId: toSpiffeId('operator/demo') },
    identityProvider: {
      directory: at('identity-provider'),
      port: firstPort + 3,
      issuer: `http://127.0.0.1:${firstPort + 3}`,
    },
    cells: places.map(({ residency, jurisdiction, operator }, index) => {
      const port = firstPort + 10 * (index + 1);
      return {
        residency,
        cell: `${residency}/main`,
        jurisdiction,
        operator,
        name: `${residency}.cells.${TRUST_DOMAIN}`,
        origin: `https://${residency}.cells.${TRUST_DOMAIN}:${port}`,
        spiffeId: toSpiffeId(`cell/${residency}/main`),
        keyServiceSpiffeId: toSpiffeId(`key-service/${residency}/main`),
        directory: at('cells', residency),
        ports: { public: port, internal: port + 1, keyService: port + 2, postgres: port + 3 },
      };
    }),
  };
}

/** Every port that the demonstration listens on, with who does. */
export function listPorts(
  layout: Layout,
): readonly { readonly port: number; readonly of: string }[] {
  return [
    { port: layout.control.port, of: 'the control plane' },
    { port: layout.control.postgresPort, of: 'the control plane’s database' },
    { port: layout.router.port, of: 'the router' },
    { port: layout.identityProvider.port, of: 'the identity provider' },
    ...layout.cells.flatMap(({ residency, ports }) => [
      { port: ports.public, of: `the cell ${residency}` },
      { port: ports.internal, of: `the cell ${residency} (internal)` },
      { port: ports.keyService, of: `the key service of ${residency}` },
      { port: ports.postgres, of: `the database of ${residency}` },
    ]),
  ];
}
