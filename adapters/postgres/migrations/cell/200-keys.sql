-- SPDX-License-Identifier: Apache-2.0
-- Key states and wraps. No key lies here in plain, and no shred key in any form: a whole copy of this
-- database and its WAL opens nothing of an erased subject, not even with the living tenant key.

-- Each start of the key service; the highest generation is the one that may act.
CREATE TABLE keys.services (
  generation bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- Ed25519, 32 bytes: verifies the statements of this generation.
  public_key bytea NOT NULL CHECK (length(public_key) = 32),
  started_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE keys.customer_keys (
  tenant_id  uuid PRIMARY KEY,
  key_id     uuid NOT NULL UNIQUE,
  provider   text NOT NULL CHECK (length(provider) <= 63),
  state      text NOT NULL CHECK (state IN ('enabled', 'disabled')),
  created_at timestamptz NOT NULL,
  changed_at timestamptz NOT NULL
);

CREATE TABLE keys.tenant_keys (
  tenant_id       uuid NOT NULL REFERENCES keys.customer_keys (tenant_id),
  key_id          uuid NOT NULL,
  version         bigint NOT NULL CHECK (version BETWEEN 1 AND 4294967295),
  customer_key_id uuid NOT NULL,
  wrap            bytea NOT NULL CHECK (length(wrap) BETWEEN 32 AND 4096),
  created_at      timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, version)
);

-- Keys that seal no values. Those without a wrap lie in the erasable store under their id.
CREATE TABLE keys.secrets (
  tenant_id          uuid NOT NULL REFERENCES keys.customer_keys (tenant_id),
  kind               text NOT NULL CHECK (kind IN ('facts-key', 'id-key', 'index-key')),
  name               text COLLATE "C" NOT NULL CHECK (length(name) <= 127),
  version            bigint NOT NULL CHECK (version BETWEEN 1 AND 4294967295),
  key_id             uuid NOT NULL,
  tenant_key_version bigint NOT NULL,
  wrap               bytea CHECK (length(wrap) = 104),
  PRIMARY KEY (tenant_id, kind, name, version)
);

-- Buckets of subjects. A row lives as long as its shred key: an erasure deletes it, and the foreign key
-- of the wraps then keeps any process from writing one more under the retired key.
CREATE TABLE keys.shred_keys (
  tenant_id          uuid NOT NULL REFERENCES keys.customer_keys (tenant_id),
  shred_key_id       uuid NOT NULL,
  tenant_key_id      uuid NOT NULL,
  tenant_key_version bigint NOT NULL,
  -- Places taken; a process that dies leaves its places empty.
  reserved           integer NOT NULL CHECK (reserved BETWEEN 0 AND 1024),
  created_at         timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, shred_key_id)
);
CREATE INDEX shred_keys_room ON keys.shred_keys (tenant_id, created_at) WHERE reserved < 1024;

CREATE TABLE keys.subject_keys (
  tenant_id    uuid NOT NULL,
  key_id       uuid NOT NULL,
  version      bigint NOT NULL CHECK (version BETWEEN 1 AND 4294967295),
  -- Keyed hash of the caller's id.
  subject_id   uuid NOT NULL,
  shred_key_id uuid,
  wrap         bytea CHECK (length(wrap) = 104),
  is_erased    boolean NOT NULL DEFAULT false,
  created_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, key_id, version),
  FOREIGN KEY (tenant_id, shred_key_id) REFERENCES keys.shred_keys (tenant_id, shred_key_id),
  CHECK (is_erased = (shred_key_id IS NULL) AND is_erased = (wrap IS NULL))
) PARTITION BY HASH (tenant_id);

CREATE TABLE keys.collection_keys (
  tenant_id          uuid NOT NULL REFERENCES keys.customer_keys (tenant_id),
  key_id             uuid NOT NULL,
  version            bigint NOT NULL CHECK (version BETWEEN 1 AND 4294967295),
  collection_id      text COLLATE "C" NOT NULL CHECK (length(collection_id) <= 63),
  tenant_key_id      uuid NOT NULL,
  tenant_key_version bigint NOT NULL,
  wrap               bytea NOT NULL CHECK (length(wrap) = 104),
  is_current         boolean NOT NULL DEFAULT true,
  created_at         timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, key_id, version)
);
CREATE UNIQUE INDEX collection_keys_current ON keys.collection_keys (tenant_id, collection_id)
  WHERE is_current;

-- Disablings and enablings: accepted when the row is there, effective when it says so.
CREATE TABLE keys.changes (
  change_id    uuid PRIMARY KEY,
  tenant_id    uuid NOT NULL REFERENCES keys.customer_keys (tenant_id),
  key_id       uuid NOT NULL,
  state        text NOT NULL CHECK (state IN ('enabled', 'disabled')),
  entry_id     uuid,
  accepted_at  timestamptz NOT NULL,
  effective_at timestamptz,
  -- Signed statements of processes, or of the key service for a lease that ran out.
  statements   jsonb NOT NULL DEFAULT '[]'
);
CREATE INDEX changes_pending ON keys.changes (accepted_at) WHERE effective_at IS NULL;

CREATE TABLE keys.erasures (
  erasure_id      uuid PRIMARY KEY,
  tenant_id       uuid NOT NULL REFERENCES keys.customer_keys (tenant_id),
  subject_id      uuid NOT NULL,
  entry_id        uuid,
  state           text NOT NULL CHECK (state IN ('accepted', 'rewrapped', 'effective', 'done')),
  key_ids         uuid[] NOT NULL DEFAULT '{}',
  retired         uuid[] NOT NULL DEFAULT '{}',
  survivors_count integer NOT NULL DEFAULT 0,
  accepted_at     timestamptz NOT NULL,
  done_at         timestamptz,
  statements      jsonb NOT NULL DEFAULT '[]'
);
CREATE INDEX erasures_pending ON keys.erasures (accepted_at) WHERE state <> 'done';

DO $$
DECLARE one text;
BEGIN
  FOR part IN 0..7 LOOP
    EXECUTE format(
      'CREATE TABLE keys.subject_keys_%s PARTITION OF keys.subject_keys FOR VALUES WITH (MODULUS 8, REMAINDER %s)',
      part, part);
    -- A partition is a table: reached by its own name, it must be as closed as the whole.
    EXECUTE format('ALTER TABLE keys.subject_keys_%s ENABLE ROW LEVEL SECURITY', part);
    EXECUTE format('ALTER TABLE keys.subject_keys_%s FORCE ROW LEVEL SECURITY', part);
  END LOOP;
  FOREACH one IN ARRAY ARRAY['customer_keys', 'tenant_keys', 'secrets', 'shred_keys', 'subject_keys',
                             'collection_keys', 'changes', 'erasures'] LOOP
    EXECUTE format('ALTER TABLE keys.%I ENABLE ROW LEVEL SECURITY', one);
    EXECUTE format('ALTER TABLE keys.%I FORCE ROW LEVEL SECURITY', one);
    -- The key service keeps the keys of all tenants; each of its statements names the tenant.
    EXECUTE format(
      'CREATE POLICY key_service ON keys.%I TO bailiwick_keys USING (true) WITH CHECK (true)', one);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON keys.%I TO bailiwick_keys', one);
  END LOOP;
  -- A process of the cell reads and adds wraps of one tenant at a time. It sees nothing else here: no
  -- tenant key's wrap, no state, no shred key; and it changes and removes nothing.
  FOREACH one IN ARRAY ARRAY['subject_keys', 'collection_keys'] LOOP
    EXECUTE format(
      'CREATE POLICY tenant ON keys.%I TO bailiwick_cell USING (tenant_id = nullif(current_setting(''bailiwick.tenant'', true), '''')::uuid)',
      one);
    EXECUTE format('GRANT SELECT, INSERT ON keys.%I TO bailiwick_cell', one);
  END LOOP;
END $$;

CREATE UNIQUE INDEX subject_keys_live ON keys.subject_keys (tenant_id, subject_id)
  WHERE NOT is_erased;
CREATE INDEX subject_keys_shred_key ON keys.subject_keys (tenant_id, shred_key_id);

GRANT SELECT, INSERT ON keys.services TO bailiwick_keys;
