-- The rounds of reconciliation look through the charges of the last days, not of all years. Reads the table, in place;
-- writes go on meanwhile.
alter table charges add key ix_charges_updated_at (updated_at);
