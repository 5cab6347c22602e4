-- SPDX-License-Identifier: Apache-2.0
-- Contract terms as both sides signed them. The envelope holds what the terms hold, and two public keys.

ALTER TABLE control.tenants ADD COLUMN agreement jsonb CHECK (jsonb_typeof(agreement) = 'object');
