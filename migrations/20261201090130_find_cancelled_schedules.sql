-- The job that cancels the bookings of schedules the airline doesn't fly asks for them every few seconds; nearly all
-- schedules have null here. Reads the table, in place; writes go on meanwhile.
alter table flight_schedules add key ix_flight_schedules_cancelled_at (cancelled_at);
