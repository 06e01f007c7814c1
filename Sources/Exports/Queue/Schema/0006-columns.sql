-- Which columns a workbook has, and the permissions that a profile needs to get it.
-- Runs once, in one transaction, as adminexport_owner. Programs of version 5 go on working beside it: the workbooks that they make have the
-- ten columns that every workbook has, which null stands for. Before the configuration declares attributes with permissions, all programs that
-- serve callers must be of this version: older ones do not check the permissions.
ALTER TABLE adminexport.job
    ADD COLUMN columns            text[],   -- the titles in the first sheet
    ADD COLUMN attributes         text[],   -- the columns of directory.administrator besides those of the contract
    ADD COLUMN column_permissions text[];
