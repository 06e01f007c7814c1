-- What workers that are gone have done: with what those that are there show in their rows, counters that never fall.
-- Runs once, in one transaction, as adminexport_owner. Programs of version 2 go on working beside it; what they did is not
-- added when they go.
INSERT INTO adminexport.setting (key, value) VALUES ('retired_counters', '{}');
