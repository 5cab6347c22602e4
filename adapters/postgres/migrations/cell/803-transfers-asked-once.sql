-- SPDX-License-Identifier: Apache-2.0
-- A transfer is asked for once. The stored answer to an Idempotency-Key is written after the transfer is, by
-- another transaction: a process that dies in between would otherwise have it asked for again. What stands here
-- is the key's keyed hash, as in `cell.idempotency_keys`.
ALTER TABLE cell.transfers ADD COLUMN asked_with bytea CHECK (length(asked_with) = 32);
CREATE UNIQUE INDEX transfers_asked_with ON cell.transfers (tenant_id, asked_with);
