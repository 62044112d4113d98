-- Since when the airline has cancelled a schedule: no new booking, and its live ones are being cancelled until none is
-- left. Null: it is flown, or was taken off sale without touching bookings. Instant on both servers.
-- Written by: orders (the airline's cancel); catalogue clears it when the day is published anew.
alter table flight_schedules add column cancelled_at datetime(6) null;
