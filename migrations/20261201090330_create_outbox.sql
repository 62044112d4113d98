-- News for the outside, written in the transaction that makes it true and delivered after it: at least once, and what
-- is told of one subject in its order.
-- Written by: common::outbox appends, the crate `news` delivers and forgets. Read by: administrators.
--   position     the order. Whoever changes a subject has locked it, so of one subject it is the order of the commits
--   news_id      the id of the event that it tells of, and the delivery's `webhook-id`
--   traceparent, tracestate   the trace of the request that caused it
--   due_at       WAITING: when it is tried next; DELIVERED, PARKED: when it is forgotten
create table if not exists outbox (
    position     bigint       not null auto_increment,
    news_id      binary(16)   not null,
    subject      varchar(20)  not null,
    subject_id   varchar(40)  not null,
    topic        varchar(40)  not null,
    data         json         not null,
    traceparent  varchar(55)  null,
    tracestate   varchar(512) null,
    created_at   datetime(6)  not null default current_timestamp(6),
    state        enum ('WAITING', 'DELIVERED', 'PARKED') not null default 'WAITING',
    attempts     int          not null default 0,
    due_at       datetime(6)  not null default current_timestamp(6),
    last_error   varchar(200) null,
    delivered_at datetime(6)  null,
    constraint pk_outbox primary key (position),
    constraint uq_outbox_news_id unique (news_id),
    key ix_outbox_subject_subject_id_state (subject, subject_id, state),
    key ix_outbox_state_due_at (state, due_at)
) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci;
