-- What the provider told us by webhook, once its authenticity is established, kept whatever became of it.
-- Written by: orders::payments. Read by: operators.
--   event_key    what makes two deliveries the same event
--   amount, cancelled, outcome, raw_status   what it says, as it was understood
--   applied_at   null: still to be applied, because its order is unknown yet
create table if not exists provider_events (
    event_id    binary(16)   not null,
    event_key   varchar(255) not null,
    order_id    varchar(64)  not null,
    receipt_id  varchar(64)  not null,
    amount      int          not null,
    cancelled   int          not null,
    outcome     enum ('OPEN', 'PAID', 'FAILED') not null,
    raw_status  int          not null,
    payload     json         not null,
    received_at datetime(6)  not null default current_timestamp(6),
    applied_at  datetime(6)  null,
    constraint pk_provider_events primary key (event_id),
    constraint uq_provider_events_event_key unique (event_key),
    key ix_provider_events_order_id (order_id),
    key ix_provider_events_applied_at (applied_at, received_at)
) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci;
