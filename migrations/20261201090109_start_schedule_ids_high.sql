-- Eight digits for every new schedule of an adopted database, too: `create table if not exists` left its counter as
-- it was. Changes no row.
alter table flight_schedules auto_increment = 10000001;
