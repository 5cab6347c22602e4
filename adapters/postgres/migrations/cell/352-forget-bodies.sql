-- SPDX-License-Identifier: Apache-2.0
-- A body past its term goes with its salt; the leaf stays and the tree still verifies. The cell may empty the
-- two columns of its tenants' entries, one tenant at a time, and change nothing else of them.
CREATE POLICY forget ON ledger.entries FOR UPDATE
  USING (tenant_id = nullif(current_setting('bailiwick.tenant', true), '')::uuid)
  WITH CHECK (
    tenant_id = nullif(current_setting('bailiwick.tenant', true), '')::uuid
    AND salt IS NULL AND body IS NULL
  );
GRANT UPDATE (salt, body) ON ledger.entries TO bailiwick_cell;
