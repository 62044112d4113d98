-- The last word against overselling: whatever the code does, no schedule has fewer than no seats.
-- Copies the table, and writes to it wait meanwhile.
alter table flight_schedules add constraint ck_flight_schedules_available_seats check (available_seats >= 0);
