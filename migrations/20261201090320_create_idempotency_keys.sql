-- What was answered to requests that named themselves by Idempotency-Key: asked again, they change nothing and are
-- told the same. A row is inserted before the effect and answered before the commit, in the effect's own transaction,
-- so there are both or neither; while that lasts, the row's lock is how equal requests find out.
-- Written by: common::idempotency, for whoever makes the effect. Read by: nobody else. A body is what a client was
-- sent, so it may hold personal data; rows end after 24 hours.
--   scope         whose key it is, and for what: account, method, route
--   fingerprint   SHA-256 of the request: who uses a key for something else is told so
--   status, body  what was answered; null: nothing yet
--   leased_until  until then somebody works on it with no transaction open
create table if not exists idempotency_keys (
    scope           varchar(120)      collate utf8mb4_bin not null,
    idempotency_key varchar(255)      collate utf8mb4_bin not null,
    fingerprint     binary(32)        not null,
    status          smallint unsigned null,
    body            mediumblob        null,
    leased_until    datetime(6)       null,
    expires_at      datetime(6)       not null,
    constraint pk_idempotency_keys primary key (scope, idempotency_key),
    key ix_idempotency_keys_expires_at (expires_at)
) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci;
