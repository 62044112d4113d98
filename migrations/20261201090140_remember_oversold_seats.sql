-- The original could sell more seats than there were, and an adopted schedule may be oversold still. What comes back
-- by a cancellation then covers the surplus first and is free to be sold only after that. No sale of ours raises it.
-- Written by: migrate, when it adopts; orders, through inventory's pool. Rewrites no rows: the default is stored once.
alter table flight_schedules add column oversold int not null default 0;
