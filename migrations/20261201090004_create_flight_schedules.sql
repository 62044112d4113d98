-- A flight on a day: its price, and how many seats nobody holds or has bought. As the original made it, but for
-- the first id: eight digits, because the browser client finds a card by the id's text, and no price has eight.
-- Written by: catalogue (price, status); orders, through inventory's pool (available_seats). Read by: everyone.
create table if not exists flight_schedules (
    schedule_id     bigint      not null auto_increment,
    flight_id       varchar(10) not null,
    flight_date     date        not null,
    current_price   int         not null,
    available_seats int         not null,
    status          enum ('ACTIVE', 'CANCELLED', 'DELAYED') null default 'ACTIVE',
    created_at      timestamp   not null default current_timestamp,
    constraint pk_flight_schedules primary key (schedule_id),
    constraint uq_flight_schedules_flight_id_flight_date unique (flight_id, flight_date),
    constraint fk_flight_schedules_flight_id foreign key (flight_id) references flights (flight_id),
    key ix_flight_schedules_flight_date (flight_date)
) engine = innodb auto_increment = 10000001 default charset = utf8mb4 collate = utf8mb4_unicode_ci;
