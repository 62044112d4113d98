-- Two active discounts would double a search result and leave the price open. The generated column is null for
-- every other discount, and a unique key lets any number of nulls be. Copies the table, which is small.
alter table flight_discounts
    add constraint ck_flight_discounts_discount_percentage check (discount_percentage between 1 and 99),
    add column active_schedule_id bigint generated always as (case when status = 'ACTIVE' then schedule_id end) virtual,
    add constraint uq_flight_discounts_active_schedule_id unique (active_schedule_id);
