-- Counts the changes of a schedule's flight: its route, its times, what flies, whether it is sold at all. A sale reads
-- the flight before it locks the schedule, to hold the lock shortly; by this number it sees that what it read is old.
-- Instant on both servers.
-- Written by: catalogue. Read by: orders.
alter table flight_schedules add column flight_revision int not null default 0;
