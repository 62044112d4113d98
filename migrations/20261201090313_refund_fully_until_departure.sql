-- The one step of version 1.
insert into refund_tiers (version, hours, percent, fee) values (1, 0, 100, 0)
on duplicate key update version = version;
