-- A receipt may be given back in parts, and an operator may end what the provider refuses. Instant; reads and writes go
-- on. A release that doesn't know these columns still refunds whole receipts.
--   rule           the refund rule that made the amount, where one did
--   note           why, in an administrator's words
--   baseline       how much of the receipt was cancelled, others' refunds included, when this one was first tried: what is
--                  cancelled beyond it counts as this refund's
--   refusals       how often the provider has refused it in so many words
--   paid_outside   how much of it didn't come from the provider: an operator paid it by other means
--   settled_by, settled_note   the administrator who ended it, and how
alter table refunds
    add column rule         int          null,
    add column note         varchar(200) null,
    add column baseline     int          null,
    add column refusals     int          not null default 0,
    add column paid_outside int          not null default 0,
    add column settled_by   bigint       null,
    add column settled_note varchar(200) null;
