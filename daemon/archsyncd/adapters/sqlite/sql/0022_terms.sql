-- What was told in names and units that are in force no more, or was inferred from what a full left out.

-- 1: nothing may be added to it, and the next full or single reading of the key takes its place, whatever its position.
ALTER TABLE level ADD COLUMN lapsed INTEGER NOT NULL DEFAULT 0 CHECK (lapsed IN (0, 1));

-- Pieces by unit as they were told by, in JSON; '' where that is not known.
ALTER TABLE aliases_in_force ADD COLUMN units TEXT NOT NULL DEFAULT '';
