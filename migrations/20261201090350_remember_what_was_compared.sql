-- Reconciliation compares charges with the provider's receipts, each by one replica at a time, and books what was
-- cancelled in the provider's console on the day it was learnt. Instant on both servers; existing rows get nulls.
-- Written by: orders::charges (cancelled_at), orders::reconcile (checked_at).
--   cancelled_at   when the provider was last heard to have given more of it back
--   checked_at     when its receipt was last looked up to be compared
alter table charges
    add column cancelled_at datetime(6) null,
    add column checked_at   datetime(6) null;
