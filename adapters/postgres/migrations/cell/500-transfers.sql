-- SPDX-License-Identifier: Apache-2.0
-- Transfers out of this cell, deliveries into it, and the place of the job queue's own tables.

CREATE TABLE cell.transfers (
  tenant_id     uuid NOT NULL REFERENCES cell.tenants (tenant_id),
  transfer_id   uuid NOT NULL,
  kind          text NOT NULL CHECK (kind IN ('copy', 'move', 'aggregate', 'standby', 'export')),
  state         text NOT NULL CHECK (state IN
                  ('accepted', 'prepared', 'delivered', 'completed', 'refused', 'failed')),
  -- What was asked: names of the charter and the schema, filters on fields that are not personal.
  draft         jsonb NOT NULL,
  -- The account that asked, as its token said, so that the job decides again for the same actor.
  credential    jsonb NOT NULL,
  -- Signed statement that goes out (DSSE); fixed once, so that a repeated delivery is the same bytes.
  statement     text CHECK (length(statement) <= 4194304),
  statement_hash text CHECK (statement_hash ~ '^[0-9a-f]{64}$'),
  group_count   integer,
  suppressed_count integer,
  -- Why it was refused or failed: a code, never a message.
  problem       jsonb,
  entry_id      uuid,
  leaf_hash     text,
  remote_entry_id uuid,
  remote_leaf_hash text,
  attempt_count integer NOT NULL DEFAULT 0,
  created_at    timestamptz NOT NULL DEFAULT now(),
  updated_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, transfer_id)
);

-- What other cells brought here: exactly once by transfer id.
CREATE TABLE cell.deliveries (
  tenant_id      uuid NOT NULL REFERENCES cell.tenants (tenant_id),
  transfer_id    uuid NOT NULL,
  from_cell      text NOT NULL,
  statement      text NOT NULL CHECK (length(statement) <= 4194304),
  statement_hash text NOT NULL CHECK (statement_hash ~ '^[0-9a-f]{64}$'),
  entry_id       uuid NOT NULL,
  leaf_hash      text NOT NULL,
  received_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, transfer_id)
);

DO $$
DECLARE one text;
BEGIN
  FOREACH one IN ARRAY ARRAY['transfers', 'deliveries'] LOOP
    EXECUTE format('ALTER TABLE cell.%I ENABLE ROW LEVEL SECURITY', one);
    EXECUTE format('ALTER TABLE cell.%I FORCE ROW LEVEL SECURITY', one);
    EXECUTE format(
      'CREATE POLICY tenant ON cell.%I USING (tenant_id = nullif(current_setting(''bailiwick.tenant'', true), '''')::uuid)',
      one);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON cell.%I TO bailiwick_cell', one);
  END LOOP;
END $$;

-- graphile-worker looks here for what it has installed; it may create tables in `jobs` and no schema, so
-- the table must exist before its first start.
CREATE TABLE jobs.migrations (
  id       integer PRIMARY KEY,
  ts       timestamptz NOT NULL DEFAULT now(),
  breaking boolean NOT NULL DEFAULT false
);
ALTER TABLE jobs.migrations OWNER TO bailiwick_cell;
