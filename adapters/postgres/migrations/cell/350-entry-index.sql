-- SPDX-License-Identifier: Apache-2.0
-- What entries are found by. The index is made behind the log, from bodies that have their positions, each
-- tenant's under its own row security; it can be thrown away and made again at any time.

-- From a position to its entry, and a tenant's entries in the order of the log without sorting them.
CREATE INDEX entries_batch ON ledger.entries (tenant_id, batch_id, batch_offset);

-- How far a tenant's entries are in the index: everything below `size` is.
CREATE TABLE ledger.entry_marked (
  tenant_id uuid NOT NULL,
  epoch     integer NOT NULL CHECK (epoch >= 1),
  size      bigint NOT NULL CHECK (size >= 0),
  PRIMARY KEY (tenant_id, epoch)
);

-- A page is 1024 positions of the log. `positions` are the offsets in it that are the tenant's, two bytes
-- each, ascending; the instants are those of their bodies.
CREATE TABLE ledger.entry_pages (
  tenant_id uuid NOT NULL,
  epoch     integer NOT NULL CHECK (epoch >= 1),
  page      bigint NOT NULL CHECK (page >= 0),
  first_ms  bigint NOT NULL,
  last_ms   bigint NOT NULL CHECK (last_ms >= first_ms),
  positions bytea NOT NULL CHECK (octet_length(positions) % 2 = 0 AND octet_length(positions) BETWEEN 2 AND 2048),
  PRIMARY KEY (tenant_id, epoch, page)
);

-- The same for each property that entries are found by; `mark` is the beginning of its hash.
CREATE TABLE ledger.entry_postings (
  tenant_id uuid NOT NULL,
  epoch     integer NOT NULL CHECK (epoch >= 1),
  mark      bigint NOT NULL,
  page      bigint NOT NULL CHECK (page >= 0),
  positions bytea NOT NULL CHECK (octet_length(positions) % 2 = 0 AND octet_length(positions) BETWEEN 2 AND 2048),
  PRIMARY KEY (tenant_id, epoch, mark, page)
);
ALTER TABLE ledger.entry_pages ALTER COLUMN positions SET STORAGE MAIN;
ALTER TABLE ledger.entry_postings ALTER COLUMN positions SET STORAGE MAIN;

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['entry_marked', 'entry_pages', 'entry_postings'] LOOP
    EXECUTE format('ALTER TABLE ledger.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE ledger.%I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format(
      'CREATE POLICY own ON ledger.%I USING (tenant_id = nullif(current_setting(''bailiwick.tenant'', true), '''')::uuid)',
      name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ledger.%I TO bailiwick_cell', name);
  END LOOP;
END $$;
