-- Which bookings of a schedule are live: asked for when the airline cancels it, when its flight is changed, and by the
-- job that completes what was flown. The status stands first on purpose: an index that begins with `schedule_id` would
-- take the foreign key's own index's place, and every confirmation would then lock the schedule to check the key, wait
-- for its sales, and deadlock with them. Reads the table, in place; writes go on meanwhile.
alter table bookings add key ix_bookings_status_schedule_id (status, schedule_id);
