-- Whether a receipt was charged before any of it was cancelled. One that waited for our approval and was let go, by us or by
-- whoever looks after the provider's console, is called cancelled in total, though no card was charged for it. Null: a
-- release before this one wrote it, or nobody has told us. Instant; reads and writes go on.
-- Written by: orders::charges, and `migrate` of what it adopts. Read by: money_moves.
alter table charges add column was_charged boolean null;
