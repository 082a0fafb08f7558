ALTER TABLE queue DROP COLUMN unsettled;
