-- What cancelling pays back is data: rules by version. A booking keeps the version it was sold under, so no row here is
-- ever changed or deleted; other terms are a new version, whose tiers are written in the same transaction.
-- Written by: people, for orders::refunds. Read by: orders::refunds, reports.
--   valid_from   from when on bookings are sold under it: of those that have begun, the highest version
create table if not exists refund_rules (
    version    int         not null,
    valid_from datetime(6) not null,
    constraint pk_refund_rules primary key (version)
) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci;
