-- Who flies on a booking. As the original made it.
-- Written by: orders::bookings. Read by: admin-service's lists, reports.
create table if not exists passengers (
    passenger_id bigint       not null auto_increment,
    booking_id   bigint       not null,
    name_kor     varchar(50)  not null,
    name_eng     varchar(100) not null,
    birth_date   date         not null,
    gender       enum ('M', 'F') not null,
    seat_number  varchar(5)   null,
    constraint pk_passengers primary key (passenger_id),
    constraint fk_passengers_booking_id foreign key (booking_id) references bookings (booking_id) on delete cascade
) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci;
