-- SPDX-License-Identifier: Apache-2.0
-- Collections and their records.

-- A schema never changes: a change is a new version, and each record names the version it was written under.
CREATE TABLE cell.collections (
  tenant_id     uuid NOT NULL,
  collection_id text COLLATE "C" NOT NULL CHECK (length(collection_id) <= 63),
  version       integer NOT NULL CHECK (version >= 1),
  schema        jsonb NOT NULL,
  entry_id      uuid NOT NULL,
  created_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, collection_id, version)
);

-- What is restricted or sensitive stands in `sealed`, as ciphertext whose authenticated data is its seal.
-- `facts_mac` binds facts, plain values, indexes and ids to the seals. Searched by equality: `blind`.
-- Partitioned by tenant from the first row on, so that a cell can grow by moving partitions.
CREATE TABLE cell.records (
  tenant_id      uuid NOT NULL,
  collection_id  text COLLATE "C" NOT NULL,
  record_id      uuid NOT NULL,
  version        integer NOT NULL CHECK (version >= 1),
  schema_version integer NOT NULL CHECK (schema_version >= 1),
  subject_id     uuid,
  facts          text COLLATE "C" NOT NULL,
  plain          jsonb NOT NULL,
  sealed         bytea NOT NULL,
  blind          bytea[] NOT NULL,
  facts_mac      bytea NOT NULL CHECK (length(facts_mac) = 32),
  -- The ledger entry that tells of this version.
  entry_id       uuid NOT NULL,
  PRIMARY KEY (tenant_id, collection_id, record_id)
) PARTITION BY HASH (tenant_id);

DO $$
BEGIN
  FOR part IN 0..7 LOOP
    EXECUTE format(
      'CREATE TABLE cell.records_%s PARTITION OF cell.records FOR VALUES WITH (MODULUS 8, REMAINDER %s)',
      part, part);
    -- A partition is a table: reached by its own name, it must be as closed as the whole.
    EXECUTE format('ALTER TABLE cell.records_%s ENABLE ROW LEVEL SECURITY', part);
    EXECUTE format('ALTER TABLE cell.records_%s FORCE ROW LEVEL SECURITY', part);
  END LOOP;
END $$;

CREATE INDEX records_blind ON cell.records USING gin (blind) WHERE blind <> '{}';

ALTER TABLE cell.collections ENABLE ROW LEVEL SECURITY;
ALTER TABLE cell.collections FORCE ROW LEVEL SECURITY;
ALTER TABLE cell.records ENABLE ROW LEVEL SECURITY;
ALTER TABLE cell.records FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON cell.collections
  USING (tenant_id = nullif(current_setting('bailiwick.tenant', true), '')::uuid);
CREATE POLICY tenant ON cell.records
  USING (tenant_id = nullif(current_setting('bailiwick.tenant', true), '')::uuid);
GRANT SELECT, INSERT ON cell.collections TO bailiwick_cell;
GRANT SELECT, INSERT, UPDATE, DELETE ON cell.records TO bailiwick_cell;

-- Point reads of one tenant in one round trip. It runs as the caller, under row security: naming a tenant
-- here is `withTenant` in one statement and nothing more.
CREATE FUNCTION cell.read_records(tenant uuid, collections text[], records uuid[])
  RETURNS SETOF cell.records
  LANGUAGE plpgsql VOLATILE SECURITY INVOKER
AS $$
BEGIN
  PERFORM set_config('bailiwick.tenant', tenant::text, true);
  RETURN QUERY
    SELECT r.* FROM unnest(collections, records) AS wanted (collection_id, record_id)
    JOIN cell.records r
      ON r.tenant_id = tenant
     AND r.collection_id = wanted.collection_id
     AND r.record_id = wanted.record_id;
END $$;
GRANT EXECUTE ON FUNCTION cell.read_records(uuid, text[], uuid[]) TO bailiwick_cell;
REVOKE EXECUTE ON FUNCTION cell.read_records(uuid, text[], uuid[]) FROM PUBLIC;
