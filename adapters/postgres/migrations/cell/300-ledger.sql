-- SPDX-License-Identifier: Apache-2.0
-- The cell's log. What is about people (bodies with their salts) lies under row security; what can be given
-- to anybody (hashes, positions, checkpoints) does not.

-- Bodies. An entry is written in one batch with others; where the batch has its positions, so has the entry.
-- The nil UUID stands for the cell itself: it can never be a tenant's id.
CREATE TABLE ledger.entries (
  tenant_id    uuid NOT NULL,
  entry_id     uuid NOT NULL,
  batch_id     bigint NOT NULL,
  batch_offset smallint NOT NULL CHECK (batch_offset >= 0),
  kind         text NOT NULL CHECK (length(kind) <= 63),
  -- Both go together when the body's term is over; the tree still verifies.
  salt         bytea CHECK (length(salt) = 32),
  body         text CHECK (octet_length(body) <= 1048576),
  PRIMARY KEY (tenant_id, entry_id),
  CHECK ((salt IS NULL) = (body IS NULL))
);
-- Hashes and base64 do not compress: trying costs more than it saves.
ALTER TABLE ledger.entries ALTER COLUMN body SET STORAGE EXTERNAL;

ALTER TABLE ledger.entries ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger.entries FORCE ROW LEVEL SECURITY;
-- A tenant sees its own; the cell's own are seen by who says so for one transaction.
CREATE POLICY own ON ledger.entries FOR SELECT USING (
  tenant_id = CASE current_setting('bailiwick.scope', true)
    WHEN 'cell' THEN '00000000-0000-0000-0000-000000000000'::uuid
    ELSE nullif(current_setting('bailiwick.tenant', true), '')::uuid
  END
);
-- Writing is appending: the group writer (scope `ledger`, for one statement) holds entries of many tenants;
-- everybody else adds to their own tenant or to the cell's.
CREATE POLICY append ON ledger.entries FOR INSERT WITH CHECK (
  current_setting('bailiwick.scope', true) = 'ledger'
  OR tenant_id = nullif(current_setting('bailiwick.tenant', true), '')::uuid
  OR tenant_id = '00000000-0000-0000-0000-000000000000'::uuid
);
GRANT SELECT, INSERT ON ledger.entries TO bailiwick_cell;

-- Numbers batches. Gaps and late commits are normal: nothing is concluded from a number that is absent.
CREATE SEQUENCE ledger.batch_ids AS bigint;
GRANT USAGE ON SEQUENCE ledger.batch_ids TO bailiwick_cell;

-- Durable and without a position: what the sequencer takes. Commitments only, 32 bytes an entry.
CREATE TABLE ledger.inbox (
  batch_id    bigint PRIMARY KEY,
  commitments bytea NOT NULL
    CHECK (octet_length(commitments) % 32 = 0 AND octet_length(commitments) BETWEEN 32 AND 131072)
) WITH (
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
  autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 2000
);
ALTER TABLE ledger.inbox ALTER COLUMN commitments SET STORAGE EXTERNAL;
GRANT SELECT, INSERT, DELETE ON ledger.inbox TO bailiwick_cell;

-- Positions.
CREATE TABLE ledger.batches (
  batch_id      bigint PRIMARY KEY,
  epoch         integer NOT NULL CHECK (epoch >= 1),
  first_index   bigint NOT NULL CHECK (first_index >= 0),
  entries_count integer NOT NULL CHECK (entries_count >= 1)
);
CREATE UNIQUE INDEX batches_position ON ledger.batches (epoch, first_index);
GRANT SELECT, INSERT ON ledger.batches TO bailiwick_cell;

-- The head is the fence: it moves only from the epoch and size that the same transaction read under lock.
CREATE TABLE ledger.heads (
  epoch           integer PRIMARY KEY CHECK (epoch >= 1),
  size            bigint NOT NULL CHECK (size >= 0),
  root            bytea NOT NULL CHECK (length(root) = 32),
  checkpoint_size bigint CHECK (checkpoint_size BETWEEN 0 AND size),
  checkpoint      text,
  CHECK ((checkpoint IS NULL) = (checkpoint_size IS NULL))
);
GRANT SELECT, INSERT, UPDATE ON ledger.heads TO bailiwick_cell;

-- Tiles of hashes, and at level -1 the bundles of commitments (without length prefixes). The last one of a
-- level grows at its end and never changes otherwise.
CREATE TABLE ledger.tiles (
  epoch  integer NOT NULL,
  level  smallint NOT NULL CHECK (level BETWEEN -1 AND 63),
  index  bigint NOT NULL CHECK (index >= 0),
  hashes bytea NOT NULL
    CHECK (octet_length(hashes) % 32 = 0 AND octet_length(hashes) BETWEEN 32 AND 8192),
  PRIMARY KEY (epoch, level, index)
);
ALTER TABLE ledger.tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;
GRANT SELECT, INSERT, UPDATE ON ledger.tiles TO bailiwick_cell;
