-- Departures are computed in the airport's own zone (an IANA name). Rewrites no rows: the default is stored once.
alter table airports add column time_zone varchar(40) not null default 'Asia/Seoul';
