-- The administrators' list of payments of certain days: without it all of 100,000 rows are looked through. Reads the
-- table, in place; writes go on meanwhile.
alter table payments add key ix_payments_created_at (created_at);
