// SPDX-License-Identifier: Apache-2.0
// The directory: which cell is the home of an opaque tenant's residency, and how to reach it. Entries
// are signed by the control plane (DSSE) so that a caller may cache them and ask nobody again.
import { type CellId, parseCellId, type Residency, type TenantId } from '@bailiwick/kernel';
import { type TSchema, Type } from 'typebox';
import { parseWith } from './parse-with.ts';

/** DSSE payload type of a `DirectoryEntry`. */
export const DIRECTORY_ENTRY_PAYLOAD_TYPE = 'application/vnd.bailiwick.directory-entry.v1+json';
/** DSSE payload type of a `RouterDirectory`. */
export const ROUTER_DIRECTORY_PAYLOAD_TYPE = 'application/vnd.bailiwick.router-directory.v1+json';

/** Where a listener is. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** How a cell is reached from outside. */
export interface CellAddress {
  readonly cell: CellId;
  /** Server name of the cell: its own certificate is for exactly this name. */
  readonly name: string;
  readonly addresses: readonly Address[];
}

/** The home of one residency of one tenant. */
export interface DirectoryEntry extends CellAddress {
  readonly v: 1;
  readonly tenantId: TenantId;
  readonly residency: Residency;
  /** RFC 3339. A caller counts `validForMs` from when it received the entry, at most. */
  readonly issuedAt: string;
  readonly validForMs: number;
}

/** All that the router serves from: entries signed one by one, and the cells it may pass through to. */
export interface RouterDirectory {
  readonly v: 1;
  readonly serial: number;
  readonly issuedAt: string;
  readonly cells: readonly (CellAddress & { readonly residency: Residency })[];
  /** Public keys of cells, with which they sign residency claims: by issuer (the cell's name). */
  readonly claimKeys: readonly { readonly issuer: string; readonly key: string }[];
  readonly entries: readonly {
    readonly tenantId: TenantId;
    readonly residency: Residency;
    readonly cell: CellId;
    /** DSSE envelope of the `DirectoryEntry`. */
    readonly envelope: unknown;
  }[];
}

const UUID_PATTERN = '^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$';
const INSTANT_PATTERN = '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(?:\\.\\d{1,3})?Z$';

/** A lower-case UUID. */
export const UuidSchema: TSchema = Type.String({ pattern: UUID_PATTERN });
/** An instant: RFC 3339 in UTC. */
export const InstantSchema: TSchema = Type.String({ pattern: INSTANT_PATTERN });
/** A residency label: `eu-de`. */
export const ResidencySchema: TSchema = Type.String({ pattern: '^[a-z]{2}-[a-z0-9]{2,8}$' });
/** A cell's full id: `eu-de/main`. */
export const CellIdSchema: TSchema = Type.String({
  pattern: '^[a-z]{2}-[a-z0-9]{2,8}/[a-z][a-z0-9]*(?:-[a-z0-9]+)*$',
  maxLength: 80,
});
/** A host name in lower case (RFC 1123), as it stands in a server name indication. */
export const HostNameSchema: TSchema = Type.String({
  pattern:
    '^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$',
  maxLength: 253,
});
/** SHA-256 as lower-case hex. */
export const Sha256Schema: TSchema = Type.String({ pattern: '^[0-9a-f]{64}$' });
/** An Ed25519 public key: standard base64 of 32 bytes. */
export const PublicKeySchema: TSchema = Type.String({ pattern: '^[A-Za-z0-9+/]{43}=$' });

/** Host and port of a listener. */
export const AddressSchema: TSchema = Type.Object(
  {
    host: Type.String({ minLength: 1, maxLength: 253 }),
    port: Type.Integer({ minimum: 1, maximum: 65_535 }),
  },
  { additionalProperties: false },
);

const cellAddressProperties = {
  cell: CellIdSchema,
  name: HostNameSchema,
  addresses: Type.Array(AddressSchema, { minItems: 1, maxItems: 16 }),
};

/** Schema of a `DirectoryEntry`. */
export const DirectoryEntrySchema: TSchema = Type.Object(
  {
    v: Type.Literal(1),
    tenantId: UuidSchema,
    residency: ResidencySchema,
    ...cellAddressProperties,
    issuedAt: InstantSchema,
    validForMs: Type.Integer({ minimum: 0, maximum: 86_400_000 }),
  },
  { additionalProperties: false },
);

/** Schema of an envelope: its shape only; who reads it verifies it. */
export const EnvelopeSchema: TSchema = Type.Object(
  {
    payloadType: Type.String({ minLength: 1, maxLength: 127 }),
    payload: Type.String(),
    signatures: Type.Array(
      Type.Object(
        { keyid: Type.String({ maxLength: 128 }), sig: Type.String({ maxLength: 128 }) },
        { additionalProperties: false },
      ),
      { minItems: 1, maxItems: 16 },
    ),
  },
  { additionalProperties: false },
);

/** Schema of a `RouterDirectory`. */
export const RouterDirectorySchema: TSchema = Type.Object(
  {
    v: Type.Literal(1),
    serial: Type.Integer({ minimum: 1 }),
    issuedAt: InstantSchema,
    cells: Type.Array(
      Type.Object(
        { ...cellAddressProperties, residency: ResidencySchema },
        { additionalProperties: false },
      ),
    ),
    claimKeys: Type.Array(
      Type.Object(
        { issuer: HostNameSchema, key: PublicKeySchema },
        { additionalProperties: false },
      ),
    ),
    entries: Type.Array(
      Type.Object(
        {
          tenantId: UuidSchema,
          residency: ResidencySchema,
          cell: CellIdSchema,
          envelope: EnvelopeSchema,
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);

/**
 * Reads a directory entry out of a verified envelope's payload.
 *
 * @throws {ContractError} `CONTRACT_VALUE_INVALID`
 */
export function parseDirectoryEntry(payload: Uint8Array): DirectoryEntry {
  const entry = parseWith(DirectoryEntrySchema, payload, 'directory entry') as DirectoryEntry;
  parseCellId(entry.cell);
  return entry;
}

/**
 * Reads the router's directory out of a verified envelope's payload.
 *
 * @throws {ContractError} `CONTRACT_VALUE_INVALID`
 */
export function parseRouterDirectory(payload: Uint8Array): RouterDirectory {
  return parseWith(RouterDirectorySchema, payload, 'router directory') as RouterDirectory;
}
