-- Which bookings of a schedule are live: asked for when the airline cancels it, when its flight is changed, and by the
-- job that completes what was flown. Reads the table, in place; writes go on meanwhile.
alter table bookings add key ix_bookings_schedule_id_status (schedule_id, status);
