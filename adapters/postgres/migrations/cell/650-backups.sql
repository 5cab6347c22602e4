-- SPDX-License-Identifier: Apache-2.0
-- What backups need of the database. Who may read everything for a backup is granted in code, after all
-- migrations, so that a table that comes later is in the backup too.

-- Rows that are gone: an incremental backup sees what was written, and must be told what was not.
-- The ids are keyed hashes.
CREATE TABLE cell.removed_records (
  tenant_id     uuid NOT NULL,
  collection_id text COLLATE "C" NOT NULL,
  record_id     uuid NOT NULL,
  removed_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX removed_records_age ON cell.removed_records USING brin (removed_at);
ALTER TABLE cell.removed_records ENABLE ROW LEVEL SECURITY;
ALTER TABLE cell.removed_records FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON cell.removed_records
  USING (tenant_id = nullif(current_setting('bailiwick.tenant', true), '')::uuid);
GRANT SELECT, INSERT ON cell.removed_records TO bailiwick_cell;

CREATE FUNCTION cell.keep_removed_records() RETURNS trigger LANGUAGE plpgsql SECURITY INVOKER AS $$
BEGIN
  INSERT INTO cell.removed_records (tenant_id, collection_id, record_id)
    SELECT tenant_id, collection_id, record_id FROM gone;
  RETURN NULL;
END $$;
CREATE TRIGGER keep_removed_records AFTER DELETE ON cell.records
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION cell.keep_removed_records();

-- The ledger is copied continuously in the order of its positions, so batches are looked up by number. They
-- are written nearly in order: a few bytes for each stretch of pages suffice, and appending stays as it was.
CREATE INDEX entries_batches ON ledger.entries
  USING brin (batch_id) WITH (pages_per_range = 16, autosummarize = on);

-- A restore under way or done. No cell serves over a database whose newest restore is not `served`.
CREATE TABLE cell.restores (
  restore_id   uuid PRIMARY KEY,
  state        text NOT NULL CHECK (state IN ('loading', 'replaying', 'loaded', 'served')),
  -- The backup whose state this is, and its instant.
  backup_id    text NOT NULL,
  backup_at    timestamptz NOT NULL,
  -- Ledger: where the replay began, and the size up to which everything was replayed.
  epoch        integer NOT NULL,
  replay_from  bigint NOT NULL,
  replayed_to  bigint NOT NULL,
  root         bytea CHECK (length(root) = 32),
  -- What the replay did: counts only.
  outcome      jsonb NOT NULL DEFAULT '{}',
  -- Set when two people let it serve without what witnesses cosigned: their signed approvals.
  forced       jsonb,
  -- Whose index values are still to be rebuilt.
  rebuild      uuid[] NOT NULL DEFAULT '{}',
  started_at   timestamptz NOT NULL DEFAULT now(),
  served_at    timestamptz
);
GRANT SELECT, UPDATE ON cell.restores TO bailiwick_cell;
