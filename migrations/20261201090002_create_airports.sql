-- Where flights leave and arrive. As the original made it.
-- Written by: catalogue (admin-service). Read by: everyone.
create table if not exists airports (
    airport_code varchar(3)   not null,
    airport_name varchar(100) not null,
    city         varchar(50)  not null,
    country      varchar(50)  not null,
    constraint pk_airports primary key (airport_code)
) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci;
