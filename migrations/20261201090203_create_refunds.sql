-- Money on its way back. Never deleted; refund_id is the provider's cancel_id, for ever, so a repeated call has
-- one effect.
-- Written by: orders::refunds. Read by: reports.
create table if not exists refunds (
    refund_id       binary(16)   not null,
    receipt_id      varchar(64)  not null,
    payment_id      bigint       null,
    booking_id      bigint       null,
    amount          int          not null,
    reason          varchar(20)  not null,
    state           enum ('PENDING', 'SENT', 'SUCCEEDED', 'NEEDS_OPERATOR') not null default 'PENDING',
    attempts        int          not null default 0,
    next_attempt_at datetime(6)  not null default current_timestamp(6),
    last_error      varchar(200) null,
    created_at      datetime(6)  not null default current_timestamp(6),
    settled_at      datetime(6)  null,
    constraint pk_refunds primary key (refund_id),
    constraint fk_refunds_receipt_id foreign key (receipt_id) references charges (receipt_id),
    constraint fk_refunds_payment_id foreign key (payment_id) references payments (payment_id),
    constraint fk_refunds_booking_id foreign key (booking_id) references bookings (booking_id),
    constraint ck_refunds_amount check (amount >= 1),
    key ix_refunds_state_next_attempt_at (state, next_attempt_at)
) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci;
