-- Which payments still wait for a booking of a schedule that the airline has cancelled. Reads the table, in place;
-- writes go on meanwhile.
alter table payments add key ix_payments_schedule_id_closed_at (schedule_id, closed_at);
