-- People who sign in. As the original made it, with ids widened; an adopted database has it already.
-- Written by: auth-service; the administrator's account by migrate. Read by: everyone who checks a session.
-- The collation makes e-mail addresses unique whatever their case.
create table if not exists users (
    user_id       bigint       not null auto_increment,
    name          varchar(50)  not null,
    email         varchar(100) not null,
    password_hash varchar(255) not null,
    phone         varchar(20)  null,
    birth_date    date         null,
    role          enum ('USER', 'ADMIN') null default 'USER',
    created_at    timestamp    not null default current_timestamp,
    updated_at    timestamp    not null default current_timestamp on update current_timestamp,
    constraint pk_users primary key (user_id),
    constraint uq_users_email unique (email)
) engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci;
