-- SPDX-License-Identifier: Apache-2.0
-- Where each customer key lies, how stale it may become, its versions, its rotations, and what two people
-- must ask for.

ALTER TABLE keys.customer_keys
  ADD COLUMN version bigint NOT NULL DEFAULT 1 CHECK (version BETWEEN 1 AND 4294967295),
  -- A word of the cell's configuration or of the tenant's custody file; `cell` is the cell's own provider.
  ADD COLUMN provider_name text COLLATE "C" NOT NULL DEFAULT 'cell' CHECK (length(provider_name) <= 63),
  -- What the tenant wants; null: what the cell is configured with.
  ADD COLUMN staleness_ms integer CHECK (staleness_ms = 0 OR staleness_ms BETWEEN 5000 AND 3600000),
  -- What the contract terms ask: it only narrows.
  ADD COLUMN terms_staleness_ms integer CHECK (terms_staleness_ms >= 0),
  -- Disabled for good: nothing enables it again.
  ADD COLUMN is_final boolean NOT NULL DEFAULT false,
  ADD CONSTRAINT customer_keys_final CHECK (NOT is_final OR state = 'disabled');

CREATE TABLE keys.customer_key_versions (
  tenant_id     uuid NOT NULL REFERENCES keys.customer_keys (tenant_id),
  version       bigint NOT NULL CHECK (version BETWEEN 1 AND 4294967295),
  key_id        uuid NOT NULL UNIQUE,
  provider      text NOT NULL CHECK (length(provider) <= 63),
  provider_name text COLLATE "C" NOT NULL CHECK (length(provider_name) <= 63),
  created_at    timestamptz NOT NULL,
  -- Another version took its place.
  retired_at    timestamptz,
  destroyed_at  timestamptz,
  PRIMARY KEY (tenant_id, version)
);
INSERT INTO keys.customer_key_versions (tenant_id, version, key_id, provider, provider_name, created_at)
  SELECT tenant_id, version, key_id, provider, provider_name, created_at FROM keys.customer_keys;

-- New versions of keys above the data. `retired` are shred keys whose survivors were wrapped anew and that
-- are not yet destroyed.
CREATE TABLE keys.rotations (
  rotation_id   uuid PRIMARY KEY,
  tenant_id     uuid NOT NULL REFERENCES keys.customer_keys (tenant_id),
  kind          text NOT NULL CHECK (kind IN ('customer-key', 'tenant-key')),
  state         text NOT NULL CHECK (state IN ('running', 'done')),
  from_version  bigint NOT NULL,
  to_version    bigint NOT NULL,
  wrapped_count bigint NOT NULL DEFAULT 0,
  retired       uuid[] NOT NULL DEFAULT '{}',
  started_at    timestamptz NOT NULL,
  done_at       timestamptz
);
CREATE UNIQUE INDEX rotations_running ON keys.rotations (tenant_id) WHERE state = 'running';

-- What cannot be undone, or widens: carried out when enough people have signed exactly `body`.
CREATE TABLE keys.requests (
  request_id   uuid PRIMARY KEY,
  tenant_id    uuid NOT NULL REFERENCES keys.customer_keys (tenant_id),
  -- Canonical JSON, as it is signed.
  body         text NOT NULL CHECK (length(body) <= 4096),
  state        text NOT NULL CHECK (state IN ('open', 'approved', 'done', 'cancelled')),
  -- A row of signatures is not an approval: each is verified again, against pinned keys, before use.
  signatures   jsonb NOT NULL DEFAULT '[]',
  created_at   timestamptz NOT NULL,
  expires_at   timestamptz NOT NULL,
  done_at      timestamptz
);
CREATE INDEX requests_tenant ON keys.requests (tenant_id, created_at);

DO $$
DECLARE one text;
BEGIN
  FOREACH one IN ARRAY ARRAY['customer_key_versions', 'rotations', 'requests'] LOOP
    EXECUTE format('ALTER TABLE keys.%I ENABLE ROW LEVEL SECURITY', one);
    EXECUTE format('ALTER TABLE keys.%I FORCE ROW LEVEL SECURITY', one);
    EXECUTE format(
      'CREATE POLICY key_service ON keys.%I TO bailiwick_keys USING (true) WITH CHECK (true)', one);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON keys.%I TO bailiwick_keys', one);
  END LOOP;
END $$;
