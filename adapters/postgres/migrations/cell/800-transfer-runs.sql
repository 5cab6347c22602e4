-- SPDX-License-Identifier: Apache-2.0
-- Transfers that go record by record: how far each has come, what was signed for it, and what came in.

ALTER TABLE cell.transfers DROP CONSTRAINT transfers_state_check;
ALTER TABLE cell.transfers ADD CONSTRAINT transfers_state_check CHECK (state IN
  ('awaiting-approval', 'accepted', 'running', 'prepared', 'delivered', 'completed', 'refused', 'stopped',
   'failed'));
ALTER TABLE cell.transfers
  ADD COLUMN request_hash text CHECK (request_hash ~ '^[0-9a-f]{64}$'),
  -- Conditions of the charter that approvals have made true.
  ADD COLUMN conditions text[] NOT NULL DEFAULT '{}',
  ADD COLUMN missing text[] NOT NULL DEFAULT '{}',
  -- The last record that the destination has taken, and how many chunks and records with it.
  ADD COLUMN through uuid,
  ADD COLUMN chunk_count integer NOT NULL DEFAULT 0,
  ADD COLUMN record_count bigint NOT NULL DEFAULT 0,
  ADD COLUMN withheld_count bigint NOT NULL DEFAULT 0,
  ADD COLUMN left_out_count bigint NOT NULL DEFAULT 0,
  -- Hash chain over the chunks' contents; each content is salted, so it tells nothing.
  ADD COLUMN digest text CHECK (digest ~ '^[0-9a-f]{64}$');

-- Who signed for a transfer, with what.
CREATE TABLE cell.transfer_approvals (
  tenant_id   uuid NOT NULL,
  transfer_id uuid NOT NULL,
  key_id      text NOT NULL CHECK (length(key_id) <= 128),
  condition   text NOT NULL CHECK (length(condition) <= 63),
  envelope    text NOT NULL CHECK (length(envelope) <= 65536),
  entry_id    uuid NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, transfer_id, key_id, condition),
  FOREIGN KEY (tenant_id, transfer_id) REFERENCES cell.transfers (tenant_id, transfer_id)
);

-- Contents that were entered and sent; a chunk that had to be read again has more than one.
CREATE TABLE cell.transfer_chunks (
  tenant_id    uuid NOT NULL,
  transfer_id  uuid NOT NULL,
  chunk        integer NOT NULL CHECK (chunk >= 1),
  content_hash text NOT NULL CHECK (content_hash ~ '^[0-9a-f]{64}$'),
  entry_id     uuid NOT NULL,
  record_count integer NOT NULL,
  withheld_count integer NOT NULL,
  left_out_count integer NOT NULL,
  part         text,
  part_hash    text,
  size_bytes   bigint,
  created_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, transfer_id, chunk, content_hash),
  FOREIGN KEY (tenant_id, transfer_id) REFERENCES cell.transfers (tenant_id, transfer_id)
);

-- Whose data went where: what a person may ask, and what an erasure must reach.
CREATE TABLE cell.transfer_people (
  tenant_id   uuid NOT NULL,
  subject_id  uuid NOT NULL,
  transfer_id uuid NOT NULL,
  PRIMARY KEY (tenant_id, subject_id, transfer_id),
  FOREIGN KEY (tenant_id, transfer_id) REFERENCES cell.transfers (tenant_id, transfer_id)
);

-- Copies that other cells send here.
CREATE TABLE cell.arrivals (
  tenant_id     uuid NOT NULL,
  transfer_id   uuid NOT NULL,
  from_cell     text NOT NULL,
  state         text NOT NULL CHECK (state IN ('open', 'completed', 'ended')),
  manifest      text NOT NULL CHECK (length(manifest) <= 4194304),
  manifest_hash text NOT NULL CHECK (manifest_hash ~ '^[0-9a-f]{64}$'),
  chunk_count   integer NOT NULL DEFAULT 0,
  record_count  bigint NOT NULL DEFAULT 0,
  digest        text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
  entry_id      uuid NOT NULL,
  leaf_hash     text NOT NULL,
  end_entry_id  uuid,
  end_leaf_hash text,
  created_at    timestamptz NOT NULL DEFAULT now(),
  updated_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, transfer_id)
);

CREATE TABLE cell.arrival_chunks (
  tenant_id    uuid NOT NULL,
  transfer_id  uuid NOT NULL,
  chunk        integer NOT NULL CHECK (chunk >= 1),
  content_hash text NOT NULL CHECK (content_hash ~ '^[0-9a-f]{64}$'),
  through      uuid NOT NULL,
  record_count integer NOT NULL,
  refused_count integer NOT NULL,
  entry_id     uuid NOT NULL,
  leaf_hash    text NOT NULL,
  PRIMARY KEY (tenant_id, transfer_id, chunk),
  FOREIGN KEY (tenant_id, transfer_id) REFERENCES cell.arrivals (tenant_id, transfer_id)
);

DO $$
DECLARE one text;
BEGIN
  FOREACH one IN ARRAY ARRAY['transfer_approvals', 'transfer_chunks', 'transfer_people', 'arrivals',
                             'arrival_chunks'] LOOP
    EXECUTE format('ALTER TABLE cell.%I ENABLE ROW LEVEL SECURITY', one);
    EXECUTE format('ALTER TABLE cell.%I FORCE ROW LEVEL SECURITY', one);
    EXECUTE format(
      'CREATE POLICY tenant ON cell.%I USING (tenant_id = nullif(current_setting(''bailiwick.tenant'', true), '''')::uuid)',
      one);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON cell.%I TO bailiwick_cell', one);
  END LOOP;
END $$;
