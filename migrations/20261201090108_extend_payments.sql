-- A payment that was started for a schedule reserves seats; one that is linked to a booking confirms it.
-- Making status not null rebuilds the table; reads and writes go on meanwhile.
--   quantity, unit_price   what was locked at init: seats, and won per seat
--   hold_id                the inventory claims reserved for it, while no booking has taken them over
--   linked_by              who tied it to booking_id: init, the booking call's guess, or an explicit attach
--   closed_at              when a refund was queued: from then on it can be neither booked nor attached
--   checked_at             when the provider was last asked about it
alter table payments
    modify column status enum ('REQUESTED', 'PAID', 'FAILED', 'CANCELLED', 'PARTIALLY_REFUNDED', 'EXPIRED') not null default 'REQUESTED',
    add column schedule_id bigint       null,
    add column quantity    int          null,
    add column unit_price  int          null,
    add column order_name  varchar(200) null,
    add column hold_id     binary(16)   null,
    add column linked_by   enum ('INIT', 'BOOKING', 'ATTACH') null,
    add column paid_at     datetime(6)  null,
    add column closed_at   datetime(6)  null,
    add column checked_at  datetime(6)  null,
    add key ix_payments_user_id_schedule_id (user_id, schedule_id),
    add key ix_payments_status_checked_at (status, checked_at);
