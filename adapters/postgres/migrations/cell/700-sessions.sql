-- SPDX-License-Identifier: Apache-2.0
-- People who are signed in to the portal. A session is known by the hash of what its cookie holds, so that
-- this table lets nobody in. It holds what the tenant's provider said the account may be, and no name.

CREATE TABLE cell.sessions (
  tenant_id    uuid NOT NULL REFERENCES cell.tenants (tenant_id),
  session_hash bytea NOT NULL CHECK (length(session_hash) = 32),
  account      uuid NOT NULL,
  claims       jsonb NOT NULL,
  residency    text NOT NULL CHECK (length(residency) <= 63),
  -- A session ends with the terms that name its provider.
  issuer       text NOT NULL CHECK (length(issuer) <= 512),
  created_at   timestamptz NOT NULL,
  seen_at      timestamptz NOT NULL,
  expires_at   timestamptz NOT NULL CHECK (expires_at > created_at),
  PRIMARY KEY (tenant_id, session_hash)
);
CREATE INDEX sessions_age ON cell.sessions (tenant_id, account, created_at);

ALTER TABLE cell.sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE cell.sessions FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON cell.sessions
  USING (tenant_id = nullif(current_setting('bailiwick.tenant', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON cell.sessions TO bailiwick_cell;
