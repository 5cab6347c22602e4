-- SPDX-License-Identifier: Apache-2.0
-- Witnesses. Nothing here is about people: origins, sizes, roots, times and signatures.

-- What this cell, as a witness, last cosigned for each other log: the note with the log's signature and its
-- own. One row per log, which only moves forward.
CREATE TABLE ledger.witnessed (
  origin  text PRIMARY KEY CHECK (octet_length(origin) BETWEEN 1 AND 255),
  version bigint NOT NULL CHECK (version >= 1),
  size    bigint NOT NULL CHECK (size >= 0),
  note    text NOT NULL CHECK (octet_length(note) <= 65536)
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE ON ledger.witnessed TO bailiwick_cell;

CREATE FUNCTION ledger.assert_witnessed_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.origin <> OLD.origin OR NEW.version <> OLD.version + 1 OR NEW.size < OLD.size THEN
    RAISE EXCEPTION 'a witness never goes back' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER witnessed_forward BEFORE UPDATE ON ledger.witnessed
  FOR EACH ROW EXECUTE FUNCTION ledger.assert_witnessed_forward();

-- This cell's own checkpoints with the cosignatures that witnesses gave: for each hour and each number of
-- cosignatures the newest, so that the history stays small and each hour has its witnesses.
CREATE TABLE ledger.cosigned (
  epoch             integer NOT NULL CHECK (epoch >= 1),
  hour              bigint NOT NULL CHECK (hour >= 0),
  cosignature_count smallint NOT NULL CHECK (cosignature_count >= 1),
  size              bigint NOT NULL CHECK (size >= 0),
  note              text NOT NULL CHECK (octet_length(note) <= 65536),
  PRIMARY KEY (epoch, hour, cosignature_count)
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE ON ledger.cosigned TO bailiwick_cell;
