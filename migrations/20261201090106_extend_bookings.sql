-- PENDING bookings hold seats until they are due; what was sold stays with the booking whatever becomes of the
-- flight. Existing rows get nulls: their facts are those of their schedule. Making status not null rebuilds the
-- table; reads and writes go on meanwhile.
--   hold_id          the inventory claims of this booking
--   payment_due_at   until when a PENDING booking can be paid; from then on it reads CANCELLED
--   unit_price       what one passenger pays, in won, after discount_percentage
alter table bookings
    modify column status enum ('CONFIRMED', 'CANCELLED', 'COMPLETED', 'PENDING') not null default 'CONFIRMED',
    add column hold_id             binary(16)  null,
    add column payment_due_at      datetime(6) null,
    add column cancel_reason       enum ('EXPIRED', 'OWNER', 'ADMIN', 'AIRLINE', 'REVERSED') null,
    add column cancelled_at        datetime(6) null,
    add column confirmed_at        datetime(6) null,
    add column flight_id           varchar(10) null,
    add column airline             varchar(50) null,
    add column departure_airport   varchar(3)  null,
    add column arrival_airport     varchar(3)  null,
    add column departure_time      time        null,
    add column arrival_time        time        null,
    add column duration            varchar(20) null,
    add column aircraft            varchar(50) null,
    add column unit_price          int         null,
    add column discount_percentage int         null,
    add column currency            varchar(10) not null default 'KRW',
    add key ix_bookings_status_payment_due_at (status, payment_due_at);
