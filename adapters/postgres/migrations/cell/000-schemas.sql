-- SPDX-License-Identifier: Apache-2.0
-- The rooms of a cell's database. Each later file grants what its tables need, table by table.
CREATE SCHEMA IF NOT EXISTS cell;
CREATE SCHEMA IF NOT EXISTS keys;
CREATE SCHEMA IF NOT EXISTS ledger;
CREATE SCHEMA IF NOT EXISTS jobs;

GRANT USAGE ON SCHEMA cell, keys, ledger TO bailiwick_cell;
GRANT USAGE ON SCHEMA keys, ledger TO bailiwick_keys;
-- The job queue keeps its own tables.
GRANT USAGE, CREATE ON SCHEMA jobs TO bailiwick_cell;
