-- A unit may have a longer name than a seat in an aircraft: what is claimed in a theatre is "balcony, row 12, seat 7".
-- Longer texts that stay under 64 characters are no work for either server; writes go on.
alter table claims modify column unit varchar(40) null;
