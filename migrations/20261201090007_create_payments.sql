-- What a person is to pay, or has paid, under one order id. As the original made it.
-- Written by: orders::payments. Read by: reports.
create table if not exists payments (
    payment_id         bigint      not null auto_increment,
    booking_id         bigint      null,
    user_id            bigint      not null,
    method             enum ('CARD', 'KAKAO')    not null,
    provider           enum ('NICEPAY', 'KAKAO') not null,
    amount             int         not null,
    currency           varchar(10) null default 'KRW',
    status             enum ('REQUESTED', 'PAID', 'FAILED', 'CANCELLED') null default 'REQUESTED',
    bootpay_receipt_id varchar(64) null,
    order_id           varchar(64) null,
    raw_payload        json        null,
    created_at         timestamp   not null default current_timestamp,
    updated_at         timestamp   not null default current_timestamp on update current_timestamp,
    constraint pk_payments primary key (payment_id),
    constraint uq_payments_bootpay_receipt_id unique (bootpay_receipt_id),
    constraint uq_payments_order_id unique (order_id),
    constraint fk_payments_booking_id foreign key (booking_id) references bookings (booking_id),
    constraint fk_payments_user_id foreign key (user_id) references users (user_id)
) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci;
