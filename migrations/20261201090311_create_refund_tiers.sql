-- The steps of a refund rule: who cancels at least so many hours before departure gets so many percent of the price
-- back, less a fee for each passenger. Of the steps that are still open the best one counts.
-- Written by: people, for orders::refunds. Read by: orders::refunds, reports.
--   hours     before departure; 0: until it
--   fee       in won, for each passenger
create table if not exists refund_tiers (
    version int not null,
    hours   int not null,
    percent int not null,
    fee     int not null default 0,
    constraint pk_refund_tiers primary key (version, hours),
    constraint fk_refund_tiers_version foreign key (version) references refund_rules (version),
    constraint ck_refund_tiers_hours check (hours between 0 and 10000),
    constraint ck_refund_tiers_percent check (percent between 0 and 100),
    constraint ck_refund_tiers_fee check (fee >= 0)
) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci;
