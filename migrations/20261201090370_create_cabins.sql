-- Which seats an aircraft has: a row for each type whose cabin isn't the usual one (25 rows of ABC DEF, no exits known).
-- `letters` are a row's seats from left to right, with a space for each aisle; exits are rows and blocked are seats that
-- can't be chosen, both with spaces between them. Sold seats stay their passengers', whatever becomes of the cabin.
-- Written by: people; `migrate --demo`. Read by: catalogue, for sales and the seat map.
create table if not exists cabins (
    aircraft  varchar(50)  not null,
    row_count smallint     not null,
    letters   varchar(30)  not null,
    exits     varchar(100) not null default '',
    blocked   varchar(500) not null default '',
    constraint pk_cabins primary key (aircraft),
    constraint ck_cabins_row_count check (row_count between 1 and 99),
    constraint ck_cabins_letters check (letters regexp '^[A-Z]+( [A-Z]+)*$'),
    constraint ck_cabins_exits check (exits regexp '^([1-9][0-9]?( [1-9][0-9]?)*)?$'),
    constraint ck_cabins_blocked check (blocked regexp '^([1-9][0-9]?[A-Z]( [1-9][0-9]?[A-Z])*)?$')
) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci;
