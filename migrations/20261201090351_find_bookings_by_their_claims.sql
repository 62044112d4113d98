-- Whose seats these are: asked for every claim that is reconciled. Reads the table, in place; writes go on meanwhile.
alter table bookings add key ix_bookings_hold_id (hold_id);
