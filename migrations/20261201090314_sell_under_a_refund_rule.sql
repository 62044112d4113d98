-- The terms a booking was sold under; null: version 1. No foreign key, because it would lock the rule with every sale.
-- Instant; reads and writes go on.
alter table bookings add column refund_rule int null;
