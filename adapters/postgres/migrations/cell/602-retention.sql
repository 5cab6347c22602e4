-- SPDX-License-Identifier: Apache-2.0
-- Runs of retention: how far each has come. A batch and its progress are one transaction.

CREATE TABLE cell.retention_runs (
  tenant_id         uuid NOT NULL,
  run_id            uuid NOT NULL,
  state             text NOT NULL CHECK (state IN ('accepted', 'done')),
  is_dry            boolean NOT NULL,
  -- Absent: all collections.
  collection_id     text COLLATE "C" CHECK (length(collection_id) <= 63),
  -- Who asked, as their token said; absent for runs of the cell's own clock.
  actor             jsonb,
  cursor_collection text COLLATE "C" NOT NULL DEFAULT '',
  cursor_record     uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  counts            jsonb NOT NULL DEFAULT '{}',
  created_at        timestamptz NOT NULL DEFAULT now(),
  updated_at        timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, run_id)
);

-- Erasures of people: each step is durable before the next.
CREATE TABLE cell.erasures (
  tenant_id    uuid NOT NULL,
  erasure_id   uuid NOT NULL,
  -- The pseudonym that is erased, the one that stands for the caller's id, and the one under which lies
  -- what must be kept.
  subject_id   uuid NOT NULL,
  named_id     uuid NOT NULL,
  remainder_id uuid NOT NULL,
  state        text NOT NULL CHECK (state IN ('accepted', 'resealed', 'shredded', 'deleted', 'done')),
  actor        jsonb NOT NULL,
  asked_entry  uuid NOT NULL,
  progress     jsonb NOT NULL DEFAULT '{}',
  -- Signed receipt (DSSE), once it is done.
  receipt      text CHECK (length(receipt) <= 1048576),
  accepted_at  timestamptz NOT NULL,
  done_at      timestamptz,
  PRIMARY KEY (tenant_id, erasure_id)
);
CREATE UNIQUE INDEX erasures_running ON cell.erasures (tenant_id, subject_id) WHERE state <> 'done';

DO $$
DECLARE one text;
BEGIN
  FOREACH one IN ARRAY ARRAY['retention_runs', 'erasures'] LOOP
    EXECUTE format('ALTER TABLE cell.%I ENABLE ROW LEVEL SECURITY', one);
    EXECUTE format('ALTER TABLE cell.%I FORCE ROW LEVEL SECURITY', one);
    EXECUTE format(
      'CREATE POLICY tenant ON cell.%I USING (tenant_id = nullif(current_setting(''bailiwick.tenant'', true), '''')::uuid)',
      one);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON cell.%I TO bailiwick_cell', one);
  END LOOP;
END $$;
