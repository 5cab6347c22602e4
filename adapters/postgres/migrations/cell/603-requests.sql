-- SPDX-License-Identifier: Apache-2.0
-- What people have asked for under their rights: each with its clock, and how far it has come. No value of
-- a person's lies here: an export is made when it is read, and a rectification goes straight to its record.

CREATE TABLE cell.rights_requests (
  tenant_id  uuid NOT NULL,
  request_id uuid NOT NULL,
  subject_id uuid NOT NULL,
  named_id   uuid NOT NULL,
  kind       text NOT NULL CHECK (kind IN
               ('access', 'rectification', 'restriction', 'objection', 'erasure')),
  state      text NOT NULL CHECK (state IN
               ('received', 'verified', 'running', 'partial', 'completed', 'refused')),
  -- Names of the charter: the purpose objected to, the ground of a restriction.
  draft      jsonb NOT NULL,
  -- Deadlines by regime, and whether they were put off.
  clock      jsonb NOT NULL,
  due_on     date NOT NULL,
  credential jsonb NOT NULL,
  progress   jsonb NOT NULL DEFAULT '{}',
  refusal    jsonb,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, request_id)
);
CREATE INDEX rights_requests_due ON cell.rights_requests (tenant_id, due_on)
  WHERE state NOT IN ('completed', 'refused');

ALTER TABLE cell.rights_requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE cell.rights_requests FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON cell.rights_requests
  USING (tenant_id = nullif(current_setting('bailiwick.tenant', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON cell.rights_requests TO bailiwick_cell;
