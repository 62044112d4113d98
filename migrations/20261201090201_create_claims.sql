-- Claims on pools of things sold by the seat: the inventory engine's own table. It knows no flights; here a pool
-- is a schedule and a unit is a seat. A claim's row lives as long as the claim: releasing deletes it, so the
-- unique key is exactly "one live claim per seat".
-- Written by: inventory. Read by: searches (what has lapsed counts as free), the seat map, reports.
--   hold_id      the claims taken together; never used again, so it is also their fence
--   owner_id     for whom (a user); caps count by it
--   held_until   when a HELD claim lapses by the database's clock; null: not by itself
--   yielding     its owner may take it over for something better (a reservation, as opposed to a booking's hold)
create table if not exists claims (
    claim_id   bigint      not null auto_increment,
    hold_id    binary(16)  not null,
    pool_id    bigint      not null,
    owner_id   bigint      not null,
    unit       varchar(5)  null,
    quantity   int         not null,
    state      enum ('HELD', 'SOLD') not null,
    held_until datetime(6) null,
    yielding   boolean     not null default false,
    created_at datetime(6) not null default current_timestamp(6),
    constraint pk_claims primary key (claim_id),
    constraint uq_claims_pool_id_unit unique (pool_id, unit),
    constraint ck_claims_quantity check (quantity >= 1 and (unit is null or quantity = 1)),
    constraint ck_claims_sold check (state = 'HELD' or held_until is null),
    key ix_claims_hold_id (hold_id),
    key ix_claims_pool_id_held_until (pool_id, held_until),
    key ix_claims_pool_id_owner_id (pool_id, owner_id),
    key ix_claims_held_until (held_until)
) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci;
