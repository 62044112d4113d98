-- An order for seats on one schedule. As the original made it.
-- Written by: orders::bookings. Read by: admin-service's lists, reports.
create table if not exists bookings (
    booking_id     bigint       not null auto_increment,
    booking_number varchar(20)  not null,
    user_id        bigint       not null,
    schedule_id    bigint       not null,
    seat_number    varchar(5)   null,
    total_amount   int          not null,
    contact_email  varchar(100) not null,
    contact_phone  varchar(20)  not null,
    payment_method varchar(20)  not null,
    status         enum ('CONFIRMED', 'CANCELLED', 'COMPLETED') null default 'CONFIRMED',
    created_at     timestamp    not null default current_timestamp,
    constraint pk_bookings primary key (booking_id),
    constraint uq_bookings_booking_number unique (booking_number),
    constraint fk_bookings_user_id foreign key (user_id) references users (user_id),
    constraint fk_bookings_schedule_id foreign key (schedule_id) references flight_schedules (schedule_id)
) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci;
