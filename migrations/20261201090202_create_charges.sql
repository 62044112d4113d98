-- What the provider charged: one row per receipt, facts only, each of them only ever growing. A payment's state is
-- computed from its charges, never from the order in which messages came.
-- Written by: orders::charges. Read by: orders::payments, reports.
--   amount            the receipt's price, in won
--   was_paid          the provider has at some time called it paid
--   cancelled         how much of it the provider has given back
--   refund_reserved   how much of it our refunds have promised to give back
--   raw_status        the last status the provider told, for people
create table if not exists charges (
    receipt_id      varchar(64)  not null,
    payment_id      bigint       null,
    order_id        varchar(64)  not null,
    amount          int          not null,
    was_paid        boolean      not null default false,
    failed          boolean      not null default false,
    cancelled       int          not null default 0,
    refund_reserved int          not null default 0,
    raw_status      int          not null,
    created_at      datetime(6)  not null default current_timestamp(6),
    updated_at      datetime(6)  not null default current_timestamp(6),
    constraint pk_charges primary key (receipt_id),
    constraint fk_charges_payment_id foreign key (payment_id) references payments (payment_id),
    constraint ck_charges_refund_reserved check (refund_reserved between 0 and amount),
    key ix_charges_order_id (order_id)
) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci;
