-- The administrators' list of bookings, newest first, a page at a time. Reads the table, in place; writes go on
-- meanwhile.
alter table bookings add key ix_bookings_created_at (created_at);
