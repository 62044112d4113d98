-- A flight number: its route and its local times. As the original made it.
-- Written by: catalogue (admin-service). Read by: everyone.
create table if not exists flights (
    flight_id         varchar(10) not null,
    airline           varchar(50) null default 'CloudJet',
    departure_airport varchar(3)  not null,
    arrival_airport   varchar(3)  not null,
    departure_time    time        not null,
    arrival_time      time        not null,
    duration          varchar(20) not null,
    aircraft          varchar(50) not null,
    base_price        int         not null,
    total_seats       int         null default 180,
    is_active         boolean     null default true,
    constraint pk_flights primary key (flight_id),
    constraint fk_flights_departure_airport foreign key (departure_airport) references airports (airport_code),
    constraint fk_flights_arrival_airport foreign key (arrival_airport) references airports (airport_code)
) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci;
