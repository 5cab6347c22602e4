-- SPDX-License-Identifier: Apache-2.0
-- Figures of a period that have left: once, in one shape, so that no two of them can be subtracted.

CREATE TABLE cell.figure_releases (
  tenant_id        uuid NOT NULL,
  collection_id    text COLLATE "C" NOT NULL CHECK (length(collection_id) <= 63),
  period           text NOT NULL CHECK (length(period) <= 7),
  grain            text NOT NULL CHECK (grain IN ('month', 'quarter', 'year')),
  -- Hash of what was asked: conditions, dimensions, measures, bounds.
  shape            text NOT NULL CHECK (shape ~ '^[0-9a-f]{64}$'),
  minimum_count    integer NOT NULL,
  -- The groups as they left: whoever may have them later gets the very same.
  groups           text NOT NULL CHECK (length(groups) <= 4194304),
  suppressed_count integer NOT NULL,
  transfer_id      uuid NOT NULL,
  created_at       timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, collection_id, period)
);
ALTER TABLE cell.figure_releases ENABLE ROW LEVEL SECURITY;
ALTER TABLE cell.figure_releases FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON cell.figure_releases
  USING (tenant_id = nullif(current_setting('bailiwick.tenant', true), '')::uuid);
GRANT SELECT, INSERT ON cell.figure_releases TO bailiwick_cell;
