-- How much of a charge was cancelled in the provider's console, and not on behalf of any refund of ours: together with
-- refund_reserved, all of the charge that is gone or spoken for. Instant; reads and writes go on.
-- Written by: orders::charges. Read by: orders::refunds, reports.
alter table charges add column in_console int not null default 0;
