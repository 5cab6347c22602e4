-- SPDX-License-Identifier: Apache-2.0
-- What processes and replicas signed, beside the entry that commits to it: for whoever asks later, and for
-- evidence packs. It is as old as its entry and goes with its body.
CREATE TABLE ledger.receipts (
  tenant_id  uuid NOT NULL,
  entry_id   uuid NOT NULL,
  -- JSON: a list of { body, publicKey, signature }.
  statements text NOT NULL CHECK (octet_length(statements) <= 1048576),
  PRIMARY KEY (tenant_id, entry_id)
);
ALTER TABLE ledger.receipts ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger.receipts FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON ledger.receipts
  USING (tenant_id = nullif(current_setting('bailiwick.tenant', true), '')::uuid);
GRANT SELECT, INSERT, DELETE ON ledger.receipts TO bailiwick_cell;
