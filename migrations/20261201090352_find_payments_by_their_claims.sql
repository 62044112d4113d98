-- The same of reservations. Reads the table, in place; writes go on meanwhile.
alter table payments add key ix_payments_hold_id (hold_id);
