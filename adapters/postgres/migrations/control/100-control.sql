-- SPDX-License-Identifier: Apache-2.0
-- The control plane: opaque tenants, cells, charters, bundles, counters. Nothing about people, and
-- nothing that can be joined back to one (invariant 6). Every text column has a form that it must match;
-- apps/control/src/guard/columns.ts gives the reason for each column, and a test compares both ways.

CREATE SCHEMA control;

-- One row: grows with each change, so that every process sees that something changed.
CREATE TABLE control.revision (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  revision bigint NOT NULL
);
INSERT INTO control.revision (revision) VALUES (1);

CREATE TABLE control.cells (
  cell text PRIMARY KEY CHECK (cell ~ '^[a-z]{2}-[a-z0-9]{2,8}/[a-z][a-z0-9-]{0,62}$'),
  residency text NOT NULL CHECK (residency ~ '^[a-z]{2}-[a-z0-9]{2,8}$'),
  name text NOT NULL UNIQUE CHECK (name ~ '^[a-z0-9.-]{1,253}$'),
  addresses jsonb NOT NULL CHECK (jsonb_typeof(addresses) = 'array'),
  spiffe_id text NOT NULL UNIQUE CHECK (spiffe_id ~ '^spiffe://[a-zA-Z0-9._/-]+$' AND length(spiffe_id) <= 512),
  internal_host text NOT NULL CHECK (internal_host ~ '^[a-z0-9.:-]{1,253}$'),
  internal_port integer NOT NULL CHECK (internal_port BETWEEN 1 AND 65535),
  location text NOT NULL CHECK (location ~ '^[a-z0-9-]{2,63}$'),
  operator text NOT NULL CHECK (operator ~ '^[a-z0-9-]{2,63}$'),
  signing_key text CHECK (signing_key ~ '^[A-Za-z0-9+/]{43}=$')
);

CREATE TABLE control.tenants (
  tenant_id uuid PRIMARY KEY,
  state text NOT NULL CHECK (state IN ('active', 'suspended', 'leaving')),
  terms jsonb NOT NULL,
  terms_serial bigint NOT NULL CHECK (terms_serial >= 1),
  terms_hash text NOT NULL CHECK (terms_hash ~ '^[0-9a-f]{64}$')
);

CREATE TABLE control.tenant_homes (
  tenant_id uuid NOT NULL REFERENCES control.tenants,
  residency text NOT NULL CHECK (residency ~ '^[a-z]{2}-[a-z0-9]{2,8}$'),
  cell text NOT NULL REFERENCES control.cells,
  PRIMARY KEY (tenant_id, residency)
);
CREATE INDEX tenant_homes_cell ON control.tenant_homes (cell);

CREATE TABLE control.charters (
  serial bigint PRIMARY KEY CHECK (serial >= 1),
  charter text NOT NULL CHECK (length(charter) BETWEEN 1 AND 1000000),
  text_hash text NOT NULL CHECK (text_hash ~ '^[0-9a-f]{64}$'),
  fresh_for_ms integer NOT NULL CHECK (fresh_for_ms BETWEEN 1 AND 86400000),
  put_at timestamptz NOT NULL DEFAULT now()
);

-- What approvers signed. The envelope names its key by hash, never a person.
CREATE TABLE control.approvals (
  subject text NOT NULL CHECK (subject IN ('charter', 'terms', 'trust')),
  -- Nil UUID except for terms.
  tenant_id uuid NOT NULL,
  serial bigint NOT NULL CHECK (serial >= 1),
  position smallint NOT NULL CHECK (position BETWEEN 0 AND 15),
  envelope jsonb NOT NULL,
  PRIMARY KEY (subject, tenant_id, serial, position)
);

-- Keys that sign bundles, with a serial that grows when they change.
CREATE TABLE control.trust (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  serial bigint NOT NULL CHECK (serial >= 1),
  bundle_keys jsonb NOT NULL CHECK (jsonb_typeof(bundle_keys) = 'array')
);

-- The newest signed document for each reader. The serial survives restarts: it only grows.
CREATE TABLE control.bundles (
  audience text PRIMARY KEY CHECK (audience = 'router' OR audience ~ '^[a-z]{2}-[a-z0-9]{2,8}/[a-z][a-z0-9-]{0,62}$'),
  serial bigint NOT NULL CHECK (serial >= 1),
  content_hash text NOT NULL CHECK (content_hash ~ '^[0-9a-f]{64}$'),
  signed_at timestamptz NOT NULL DEFAULT now(),
  envelope jsonb NOT NULL
);

CREATE TABLE control.rollups (
  cell text NOT NULL REFERENCES control.cells,
  period_start timestamptz NOT NULL,
  counter text NOT NULL CHECK (counter ~ '^[a-z-]{1,32}$'),
  total bigint NOT NULL CHECK (total >= 0),
  PRIMARY KEY (cell, period_start, counter)
);

CREATE TABLE control.deliveries (
  delivery_id uuid PRIMARY KEY,
  cell text NOT NULL REFERENCES control.cells,
  tenant_id uuid NOT NULL REFERENCES control.tenants,
  series text NOT NULL CHECK (series ~ '^[a-z]+(-[a-z]+){0,3}$' AND length(series) <= 32),
  purpose text NOT NULL CHECK (purpose ~ '^[a-z]+(-[a-z]+){0,3}$' AND length(purpose) <= 32),
  delivered_at timestamptz NOT NULL,
  minimum_count integer NOT NULL CHECK (minimum_count >= 10),
  group_by text[] NOT NULL CHECK (group_by <@ ARRAY['country', 'subdivision', 'residency', 'year', 'quarter', 'month', 'currency']),
  measures text[] NOT NULL CHECK (measures <@ ARRAY['amount', 'quantity', 'total', 'duration', 'size']),
  payload_hash text NOT NULL CHECK (payload_hash ~ '^[0-9a-f]{64}$')
);

CREATE TABLE control.delivery_groups (
  delivery_id uuid NOT NULL REFERENCES control.deliveries,
  position integer NOT NULL CHECK (position >= 0),
  group_values text[] NOT NULL CHECK (array_to_string(group_values, ' ') ~ '^[a-zA-Z0-9 -]{2,67}$'),
  group_count bigint NOT NULL CHECK (group_count >= 10),
  sums double precision[] NOT NULL,
  PRIMARY KEY (delivery_id, position)
);

-- Answers to requests with an `Idempotency-Key`: hashes and the answer's own opaque ids.
CREATE TABLE control.answers (
  request_key text PRIMARY KEY CHECK (request_key ~ '^[0-9a-f]{64}$'),
  body_hash text NOT NULL CHECK (body_hash ~ '^[0-9a-f]{64}$'),
  status smallint NOT NULL CHECK (status BETWEEN 200 AND 299),
  body jsonb NOT NULL,
  answered_at timestamptz NOT NULL DEFAULT now()
);

GRANT USAGE ON SCHEMA control TO bailiwick_control;
GRANT SELECT, INSERT, UPDATE ON control.revision, control.cells, control.tenants, control.trust,
  control.bundles, control.rollups TO bailiwick_control;
GRANT SELECT, INSERT, UPDATE, DELETE ON control.tenant_homes TO bailiwick_control;
-- What was law, what was approved and what was delivered is not rewritten.
GRANT SELECT, INSERT ON control.charters, control.approvals, control.deliveries,
  control.delivery_groups TO bailiwick_control;
GRANT SELECT, INSERT, DELETE ON control.answers TO bailiwick_control;
