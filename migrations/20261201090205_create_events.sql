-- History: every change of a booking, payment, refund or role, in the transaction that made it. Append-only.
-- Written by: whoever makes the change, through common::events. Read by: people who ask what happened.
create table if not exists events (
    event_id    binary(16)   not null,
    happened_at datetime(6)  not null default current_timestamp(6),
    actor       enum ('USER', 'ADMIN', 'PROVIDER', 'SYSTEM') not null,
    user_id     bigint       null,
    request_id  varchar(64)  null,
    subject     varchar(20)  not null,
    subject_id  varchar(40)  not null,
    action      varchar(40)  not null,
    detail      json         not null,
    constraint pk_events primary key (event_id),
    key ix_events_subject_subject_id (subject, subject_id)
) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci;
