//! A database the original made: the same tables under names of its own, with rows in them.

use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{applied, connect, execute, migrate, number, texts};

const TABLES: [&str; 8] = [
    "create table users (user_id bigint auto_increment primary key, name varchar(50) not null,
        email varchar(100) unique not null, password_hash varchar(255) not null, phone varchar(20), birth_date date,
        role enum('USER', 'ADMIN') default 'USER', created_at timestamp default current_timestamp,
        updated_at timestamp default current_timestamp on update current_timestamp, index idx_email (email))",
    "create table airports (airport_code varchar(3) primary key, airport_name varchar(100) not null,
        city varchar(50) not null, country varchar(50) not null)",
    "create table flights (flight_id varchar(10) primary key, airline varchar(50) default 'CloudJet',
        departure_airport varchar(3) not null, arrival_airport varchar(3) not null, departure_time time not null,
        arrival_time time not null, duration varchar(20) not null, aircraft varchar(50) not null,
        base_price int not null, total_seats int default 180, is_active boolean default true,
        foreign key (departure_airport) references airports (airport_code),
        foreign key (arrival_airport) references airports (airport_code))",
    "create table flight_schedules (schedule_id bigint auto_increment primary key, flight_id varchar(10) not null,
        flight_date date not null, current_price int not null, available_seats int not null,
        status enum('ACTIVE', 'CANCELLED', 'DELAYED') default 'ACTIVE', created_at timestamp default current_timestamp,
        foreign key (flight_id) references flights (flight_id), unique key unique_flight_date (flight_id, flight_date),
        index idx_flight_date (flight_date))",
    "create table bookings (booking_id bigint auto_increment primary key, booking_number varchar(20) unique not null,
        user_id bigint not null, schedule_id bigint not null, seat_number varchar(5), total_amount int not null,
        contact_email varchar(100) not null, contact_phone varchar(20) not null, payment_method varchar(20) not null,
        status enum('CONFIRMED', 'CANCELLED', 'COMPLETED') default 'CONFIRMED',
        created_at timestamp default current_timestamp, foreign key (user_id) references users (user_id),
        foreign key (schedule_id) references flight_schedules (schedule_id),
        index idx_booking_number (booking_number), index idx_user_id (user_id))",
    "create table passengers (passenger_id bigint auto_increment primary key, booking_id bigint not null,
        name_kor varchar(50) not null, name_eng varchar(100) not null, birth_date date not null,
        gender enum('M', 'F') not null, seat_number varchar(5),
        foreign key (booking_id) references bookings (booking_id) on delete cascade, index idx_booking_id (booking_id))",
    "create table payments (payment_id bigint auto_increment primary key, booking_id bigint null,
        user_id bigint not null, method enum('CARD', 'KAKAO') not null, provider enum('NICEPAY', 'KAKAO') not null,
        amount int not null, currency varchar(10) default 'KRW',
        status enum('REQUESTED', 'PAID', 'FAILED', 'CANCELLED') default 'REQUESTED',
        bootpay_receipt_id varchar(64) unique, order_id varchar(64) unique, raw_payload json,
        created_at timestamp default current_timestamp,
        updated_at timestamp default current_timestamp on update current_timestamp,
        foreign key (booking_id) references bookings (booking_id), foreign key (user_id) references users (user_id),
        index idx_status (status), index idx_receipt (bootpay_receipt_id), index idx_order (order_id))",
    "create table flight_discounts (discount_id bigint auto_increment primary key, schedule_id bigint not null,
        discount_percentage int not null, status enum('ACTIVE', 'INACTIVE', 'EXPIRED') default 'ACTIVE',
        created_at timestamp default current_timestamp,
        updated_at timestamp default current_timestamp on update current_timestamp,
        foreign key (schedule_id) references flight_schedules (schedule_id), index idx_schedule (schedule_id),
        index idx_status (status))",
];

const ROWS: [&str; 8] = [
    "insert into users (name, email, password_hash, role) values ('관리자', 'admin@cloudjet.com', 'admin123', 'ADMIN')",
    "insert into airports values ('ICN', '인천국제공항', '서울', '대한민국'), ('LAX', '로스앤젤레스국제공항', '로스앤젤레스', '미국')",
    "insert into flights values ('CJ141', 'CloudJet', 'ICN', 'LAX', '11:00', '06:30', '11시간 30분', 'Boeing 787-9', 850000, 180, 1)",
    "insert into flight_schedules (flight_id, flight_date, current_price, available_seats) values ('CJ141', '2026-12-01', 812345, 151), ('CJ141', '2026-12-02', 901234, 170)",
    "insert into bookings (booking_number, user_id, schedule_id, total_amount, contact_email, contact_phone, payment_method) values ('CJ12345678', 1, 1, 812345, 'a@b.c', '010', 'card')",
    "insert into passengers (booking_id, name_kor, name_eng, birth_date, gender) values (1, '김여행', 'KIM', '1990-01-01', 'F')",
    "insert into payments (booking_id, user_id, method, provider, amount, status) values (1, 1, 'CARD', 'NICEPAY', 812345, 'PAID')",
    "insert into flight_discounts (schedule_id, discount_percentage, status) values (2, 30, 'ACTIVE'), (2, 20, 'INACTIVE')",
];

#[sqlx::test(migrations = false)]
async fn its_rows_stay_and_it_gets_what_it_lacks(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let mut connection = connect(&database).await;
    for statement in TABLES {
        let created = format!("{statement} engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci");
        execute(&mut connection, &created).await;
    }
    for statement in ROWS {
        execute(&mut connection, statement).await;
    }

    assert_eq!(applied(&migrate(&database).await.unwrap()), common::db::MIGRATOR.iter().count());

    for (sql, kept) in [
        (
            "select concat_ws(' ', user_id, email, password_hash, role) from users",
            vec!["1 admin@cloudjet.com admin123 ADMIN"],
        ),
        (
            "select concat_ws(' ', airport_code, time_zone) from airports order by 1",
            vec!["ICN Asia/Seoul", "LAX America/Los_Angeles"],
        ),
        (
            "select concat_ws(' ', schedule_id, current_price, available_seats, status) from flight_schedules order by 1",
            vec!["1 812345 151 ACTIVE", "2 901234 170 ACTIVE"],
        ),
        (
            "select concat_ws(' ', booking_number, status, total_amount, currency) from bookings",
            vec!["CJ12345678 CONFIRMED 812345 KRW"],
        ),
        ("select concat_ws(' ', name_kor, name_eng, gender) from passengers", vec!["김여행 KIM F"]),
        ("select concat_ws(' ', booking_id, amount, status) from payments", vec!["1 812345 PAID"]),
        (
            "select concat_ws(' ', schedule_id, discount_percentage, status, active_schedule_id) from flight_discounts order by discount_id",
            vec!["2 30 ACTIVE 2", "2 20 INACTIVE"],
        ),
    ] {
        assert_eq!(texts(&mut connection, sql).await, kept, "{sql}");
    }
    execute(&mut connection, "insert into flight_schedules (flight_id, flight_date, current_price, available_seats) values ('CJ141', '2026-12-03', 1, 1)").await;
    assert!(number(&mut connection, "select max(schedule_id) from flight_schedules").await > 10_000_000);
}
