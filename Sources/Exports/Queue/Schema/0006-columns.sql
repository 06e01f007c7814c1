-- Which columns a workbook has, and the permissions that a profile needs to get it.
-- Runs once, in one transaction, as adminexport_owner. Programs of version 5 go on working beside it: the workbooks that they make have the
-- ten columns that every workbook has, which null stands for.
ALTER TABLE adminexport.job
    ADD COLUMN columns            text[],   -- the titles in the first sheet
    ADD COLUMN column_permissions text[];
