-- A percentage off one schedule's price. As the original made it.
-- Written by: catalogue (admin-service). Read by: searches, offers, bookings.
create table if not exists flight_discounts (
    discount_id         bigint    not null auto_increment,
    schedule_id         bigint    not null,
    discount_percentage int       not null,
    status              enum ('ACTIVE', 'INACTIVE', 'EXPIRED') null default 'ACTIVE',
    created_at          timestamp not null default current_timestamp,
    updated_at          timestamp not null default current_timestamp on update current_timestamp,
    constraint pk_flight_discounts primary key (discount_id),
    constraint fk_flight_discounts_schedule_id foreign key (schedule_id) references flight_schedules (schedule_id),
    key ix_flight_discounts_status (status)
) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci;
