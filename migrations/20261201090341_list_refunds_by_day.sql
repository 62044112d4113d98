-- The administrators' list of refunds of certain days. Reads the table, in place; writes go on meanwhile.
alter table refunds add key ix_refunds_created_at (created_at);
