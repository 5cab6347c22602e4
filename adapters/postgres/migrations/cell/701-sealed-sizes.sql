-- SPDX-License-Identifier: Apache-2.0
-- Sizes of the sealed values in a record's container (version u8, count u8, then each value behind its
-- length as u32be), in their order, so that bytes can be counted by field set without reading any of them.
CREATE FUNCTION cell.sealed_sizes(container bytea) RETURNS integer[]
  LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
DECLARE
  sizes integer[] := '{}';
  position integer := 2;
  size integer;
BEGIN
  WHILE position + 4 <= octet_length(container) LOOP
    size := (get_byte(container, position) << 24) + (get_byte(container, position + 1) << 16)
          + (get_byte(container, position + 2) << 8) + get_byte(container, position + 3);
    EXIT WHEN size < 0;
    sizes := sizes || size;
    position := position + 4 + size;
  END LOOP;
  RETURN sizes;
END $$;
REVOKE EXECUTE ON FUNCTION cell.sealed_sizes(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cell.sealed_sizes(bytea) TO bailiwick_cell;
