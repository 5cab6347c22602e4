-- SPDX-License-Identifier: Apache-2.0
-- Erased people whose copies lie in other cells: asked back until each cell has said that they are gone.

CREATE TABLE cell.copy_recalls (
  tenant_id       uuid NOT NULL,
  transfer_id     uuid NOT NULL,
  subject_id      uuid NOT NULL,
  recall_id       uuid NOT NULL DEFAULT gen_random_uuid(),
  remote_entry_id uuid,
  remote_leaf_hash text,
  asked_at        timestamptz NOT NULL DEFAULT now(),
  done_at         timestamptz,
  PRIMARY KEY (tenant_id, transfer_id, subject_id),
  FOREIGN KEY (tenant_id, transfer_id) REFERENCES cell.transfers (tenant_id, transfer_id)
);
ALTER TABLE cell.copy_recalls ENABLE ROW LEVEL SECURITY;
ALTER TABLE cell.copy_recalls FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON cell.copy_recalls
  USING (tenant_id = nullif(current_setting('bailiwick.tenant', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON cell.copy_recalls TO bailiwick_cell;
