-- Version 1: all of it, until departure. Bookings that name no version were sold under this one.
insert into refund_rules (version, valid_from) values (1, '2000-01-01')
on duplicate key update version = version;
