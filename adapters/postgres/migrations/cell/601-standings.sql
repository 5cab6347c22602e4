-- SPDX-License-Identifier: Apache-2.0
-- What holds of people beside the labels of their data: consents, objections, restrictions, holds, events
-- that the law counts from. One row a person, as facts under a MAC; never a conclusion.

CREATE TABLE cell.standings (
  tenant_id  uuid NOT NULL,
  -- A keyed pseudonym; one fixed id stands for all of a tenant's data (holds on whole collections).
  subject_id uuid NOT NULL,
  -- Grows with each change; the MAC covers it.
  serial     integer NOT NULL CHECK (serial >= 1),
  -- Canonical JSON.
  facts      text COLLATE "C" NOT NULL CHECK (length(facts) <= 262144),
  facts_mac  bytea NOT NULL CHECK (length(facts_mac) = 32),
  PRIMARY KEY (tenant_id, subject_id)
);

-- How it came about. The entry commits to the hash of the facts after the change.
CREATE TABLE cell.standing_changes (
  tenant_id  uuid NOT NULL,
  subject_id uuid NOT NULL,
  serial     integer NOT NULL,
  kind       text NOT NULL CHECK (length(kind) <= 63),
  -- The purpose that a consent or an objection is about.
  purpose    text COLLATE "C" CHECK (length(purpose) <= 63),
  -- True where less is allowed than before: running transfers look for these.
  is_narrower boolean NOT NULL,
  change     jsonb NOT NULL,
  entry_id   uuid NOT NULL,
  changed_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, subject_id, serial)
);
CREATE INDEX standing_changes_time ON cell.standing_changes (tenant_id, changed_at)
  WHERE is_narrower;

-- Legal orders: on a person, a jurisdiction's data or a whole tenant; under a fixed id of their own those
-- that hold for every tenant of this cell.
CREATE TABLE cell.orders (
  tenant_id  uuid NOT NULL,
  order_id   uuid NOT NULL,
  -- Canonical JSON: measure, scope, reference, instants.
  facts      text COLLATE "C" NOT NULL CHECK (length(facts) <= 4096),
  facts_mac  bytea NOT NULL CHECK (length(facts_mac) = 32),
  is_revoked boolean NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, order_id)
);

-- All data of a person is looked for by its subject: to tell it, to restrict it, to erase it.
CREATE INDEX records_subject ON cell.records (tenant_id, subject_id) WHERE subject_id IS NOT NULL;

DO $$
DECLARE one text;
BEGIN
  FOREACH one IN ARRAY ARRAY['standings', 'standing_changes', 'orders'] LOOP
    EXECUTE format('ALTER TABLE cell.%I ENABLE ROW LEVEL SECURITY', one);
    EXECUTE format('ALTER TABLE cell.%I FORCE ROW LEVEL SECURITY', one);
    EXECUTE format(
      'CREATE POLICY tenant ON cell.%I USING (tenant_id = nullif(current_setting(''bailiwick.tenant'', true), '''')::uuid)',
      one);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON cell.%I TO bailiwick_cell', one);
  END LOOP;
END $$;
