-- SPDX-License-Identifier: Apache-2.0
-- Tenants of this cell, the accounts that may ask it, and what makes asking twice harmless.

-- State and terms themselves come with each bundle; here is what the cell did with them.
CREATE TABLE cell.tenants (
  tenant_id    uuid PRIMARY KEY,
  terms_serial bigint NOT NULL CHECK (terms_serial >= 1),
  terms_hash   text NOT NULL CHECK (terms_hash ~ '^[0-9a-f]{64}$'),
  state        text NOT NULL CHECK (state IN ('active', 'suspended', 'leaving')),
  -- What the groups of its own identity provider mean here; issuer and audience are in the terms.
  sign_in      jsonb,
  -- When the tenant got its keys in this cell; without keys it is not served.
  keyed_at     timestamptz,
  created_at   timestamptz NOT NULL DEFAULT now(),
  updated_at   timestamptz NOT NULL DEFAULT now()
);

-- Who may ask with a key of its own, and for what. People who sign in at the tenant's own identity provider
-- are not here: their account's id is a keyed hash of issuer and subject, made when they ask.
CREATE TABLE cell.accounts (
  tenant_id       uuid NOT NULL REFERENCES cell.tenants (tenant_id),
  account         uuid NOT NULL,
  kind            text NOT NULL CHECK (kind IN ('workload', 'person')),
  role            text NOT NULL CHECK (length(role) <= 63),
  employer        text NOT NULL CHECK (length(employer) <= 63),
  assurance       text NOT NULL CHECK (assurance IN ('low', 'substantial', 'high')),
  place           text NOT NULL CHECK (length(place) <= 63),
  purposes        text[] NOT NULL,
  -- `NULL = ANY ('{}')` is false: absence must be allowed by name.
  default_purpose text CHECK (default_purpose IS NULL OR default_purpose = ANY (purposes)),
  -- Ed25519 public keys, base64, that sign client assertions.
  public_keys     text[] NOT NULL DEFAULT '{}',
  is_disabled     boolean NOT NULL DEFAULT false,
  updated_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, account)
);

-- A client assertion is good once (RFC 7523 §3): its id is kept as a hash until it has expired.
CREATE TABLE cell.assertion_uses (
  tenant_id  uuid NOT NULL,
  jti_hash   bytea NOT NULL CHECK (length(jti_hash) = 32),
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, jti_hash)
);
CREATE INDEX assertion_uses_expiry ON cell.assertion_uses (expires_at);

-- Answers to requests with an Idempotency-Key. Key and body are stored as keyed hashes; the answer holds
-- ids and states only (a route whose answer could hold more keeps the promise by itself).
CREATE TABLE cell.idempotency_keys (
  tenant_id  uuid NOT NULL,
  key_mac    bytea NOT NULL CHECK (length(key_mac) = 32),
  body_mac   bytea NOT NULL CHECK (length(body_mac) = 32),
  -- Who works on it; null once there is an answer.
  holder     uuid,
  held_until timestamptz NOT NULL,
  status     integer,
  answer     text CHECK (length(answer) <= 65536),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, key_mac),
  CHECK ((holder IS NULL) = (status IS NOT NULL))
);
CREATE INDEX idempotency_keys_age ON cell.idempotency_keys (tenant_id, created_at);

DO $$
DECLARE one text;
BEGIN
  FOREACH one IN ARRAY ARRAY['tenants', 'accounts', 'assertion_uses', 'idempotency_keys'] LOOP
    EXECUTE format('ALTER TABLE cell.%I ENABLE ROW LEVEL SECURITY', one);
    EXECUTE format('ALTER TABLE cell.%I FORCE ROW LEVEL SECURITY', one);
    EXECUTE format(
      'CREATE POLICY tenant ON cell.%I USING (tenant_id = nullif(current_setting(''bailiwick.tenant'', true), '''')::uuid)',
      one);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON cell.%I TO bailiwick_cell', one);
  END LOOP;
END $$;
