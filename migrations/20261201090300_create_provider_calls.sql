-- Calls to the provider that leave the database, each committed as an intent before it is made, so that whoever finds
-- it after a crash can look its receipt up and go on. (Refunds are calls, too; their rows are `refunds`.)
-- Written by: orders::approvals. Read by: reports.
--   kind             CONFIRM takes a payment that waits for our approval; VOID lets such a payment go
--   state            STARTED: its outcome isn't known; DONE; REFUSED by the provider; ABANDONED by us
--   leased_until     while somebody is at it; a process that dies with it lets it be taken again then
--   payment_due_at, held_until   what the pinned booking falls back to if it comes to nothing
--   last_error       why there was no outcome, or why it was refused, for operators
create table if not exists provider_calls (
    call_id         binary(16)   not null,
    kind            enum ('CONFIRM', 'VOID') not null,
    booking_id      bigint       not null,
    payment_id      bigint       not null,
    receipt_id      varchar(64)  not null,
    state           enum ('STARTED', 'DONE', 'REFUSED', 'ABANDONED') not null default 'STARTED',
    attempts        int          not null default 0,
    leased_until    datetime(6)  null,
    next_attempt_at datetime(6)  not null default current_timestamp(6),
    payment_due_at  datetime(6)  null,
    held_until      datetime(6)  null,
    last_error      varchar(200) null,
    traceparent     varchar(55)  null,
    created_at      datetime(6)  not null default current_timestamp(6),
    settled_at      datetime(6)  null,
    constraint pk_provider_calls primary key (call_id),
    constraint uq_provider_calls_receipt_id_kind unique (receipt_id, kind),
    constraint fk_provider_calls_booking_id foreign key (booking_id) references bookings (booking_id),
    constraint fk_provider_calls_payment_id foreign key (payment_id) references payments (payment_id),
    key ix_provider_calls_state_next_attempt_at (state, next_attempt_at)
) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci;
