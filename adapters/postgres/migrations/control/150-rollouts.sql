-- SPDX-License-Identifier: Apache-2.0
-- Charters on their way into force: the candidate, where it stands, and what cells counted beside it.
-- Names of places and rules, and counts; nothing about people (invariant 6).

CREATE TABLE control.rollouts (
  rollout_id uuid PRIMARY KEY,
  -- The serial that the candidate has, or will have. A serial that a rollout had is never used again.
  serial bigint NOT NULL UNIQUE CHECK (serial >= 1),
  charter text NOT NULL CHECK (length(charter) BETWEEN 1 AND 1000000),
  text_hash text NOT NULL CHECK (text_hash ~ '^[0-9a-f]{64}$'),
  fresh_for_ms integer NOT NULL CHECK (fresh_for_ms BETWEEN 1 AND 86400000),
  first_cell text NOT NULL REFERENCES control.cells,
  phase text NOT NULL CHECK (phase IN ('canary', 'canary-everywhere', 'first-cell', 'promoted', 'stopped', 'rolled-back')),
  share_basis_points integer NOT NULL CHECK (share_basis_points BETWEEN 1 AND 10000),
  limits jsonb NOT NULL CHECK (jsonb_typeof(limits) = 'object'),
  base_serial bigint NOT NULL REFERENCES control.charters,
  -- Envelopes that approve the charter before this one under the next serial.
  return_approvals jsonb NOT NULL CHECK (jsonb_typeof(return_approvals) = 'array'),
  stopped_by text CHECK (stopped_by IN ('errors', 'stricter', 'latency')),
  started_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz
);
-- One at a time.
CREATE UNIQUE INDEX rollouts_open ON control.rollouts ((true))
  WHERE phase IN ('canary', 'canary-everywhere', 'first-cell');

-- What one process of a cell has counted for one candidate since it began; told again, it is replaced.
CREATE TABLE control.rollout_reports (
  rollout_id uuid NOT NULL REFERENCES control.rollouts,
  cell text NOT NULL REFERENCES control.cells,
  replica uuid NOT NULL,
  decided bigint NOT NULL CHECK (decided >= 0),
  stricter bigint NOT NULL CHECK (stricter >= 0),
  looser bigint NOT NULL CHECK (looser >= 0),
  errors bigint NOT NULL CHECK (errors >= 0),
  latency_micros bigint NOT NULL CHECK (latency_micros >= 0),
  latency_micros_max bigint NOT NULL CHECK (latency_micros_max >= 0),
  kinds jsonb NOT NULL CHECK (jsonb_typeof(kinds) = 'array'),
  PRIMARY KEY (rollout_id, cell, replica)
);

GRANT SELECT, INSERT, UPDATE ON control.rollouts, control.rollout_reports TO bailiwick_control;
