//! A database of the system that CloudJet replaces: its schema as its setup script makes it, and rows as years of use
//! leave them, every kind that adoption must mend among them.
//!
//! Ids are fixed, because tests speak of them: schedules 1 to 6, of which 1 is the one with seats to fight for.

use chrono::{Days, NaiveDate};
use sqlx::{AssertSqlSafe, Executor, MySqlConnection};

/// The password of every account but those whose password is stored as plain text.
pub const PASSWORD: &str = "Passw0rd!";

/// The accounts, from id 2 on, by how their password is stored: every format the original accepted, cheap ones first.
pub const STORED: [(&str, &str); 11] = [
    (
        "scrypt",
        "scrypt:16384:8:1$SaltSalt12345678$8d6db22ef524653e541570ee0daa6c31d20c25e1fd12fedab75019777ce1e7b4e6b20073ad37c01ae5f3eee92b6aa4dfe04f4c62f9945efbc109b8de350a51d0",
    ),
    ("pbkdf2-sha1", "pbkdf2:sha1:1000$SaltSalt12345678$7e55badc5169574b337fc81f0c78bf38bd6f83b3"),
    (
        "pbkdf2-sha512",
        "pbkdf2:sha512:1000$SaltSalt12345678$d4bb78550070da079796bac6976529c92a519c9a17d94e3d5c69782eead9092929558e03a8d48777598b187cac54db8f4cef54e2e5b1d11fcdeccf8baf3fa77f",
    ),
    ("hmac-md5", "md5$SaltSalt12345678$f3191a8cc1bc4fc46fc6714feb3d178c"),
    ("hmac-sha1", "sha1$SaltSalt12345678$99ae9db6e20fdcfea4e99de9e5a754c7307f917f"),
    ("hmac-sha256", "sha256$SaltSalt12345678$1f64d27392e7fb4a0d0ddc05af79a45cf31c05525ac8729c9e41ae2159933a13"),
    ("sha256", "e66860546f18cdbbcd86b35e18b525bffc67f772c650cedfe3ff7a0026fa1dee"),
    ("salted", "0123456789abcdef0123456789abcdefb8573107c7d5105e2ba1893fe3902e201fc4ed867889de034f848168dc301135"),
    ("pbkdf2-bare", "pbkdf2$SaltSalt12345678$5edd5133ce8e3ec85e0380c37a5e4672914a42448de93de9a0b77d305b49ad7f"),
    ("plain-method", "plain$$Passw0rd!"),
    ("bcrypt", "$2b$12$abcdefghijklmnopqrstuuJ5Zqb8vS6zZQ3m9a0tq7yQ1n0iW3y8K"),
];

/// The original's tables.
const TABLES: [&str; 8] = [
    "create table users (
         user_id int auto_increment primary key, name varchar(50) not null, email varchar(100) unique not null,
         password_hash varchar(255) not null, phone varchar(20), birth_date date,
         role enum('USER', 'ADMIN') default 'USER', created_at timestamp default current_timestamp,
         updated_at timestamp default current_timestamp on update current_timestamp, index idx_email (email))",
    "create table airports (
         airport_code varchar(3) primary key, airport_name varchar(100) not null, city varchar(50) not null,
         country varchar(50) not null)",
    "create table flights (
         flight_id varchar(10) primary key, airline varchar(50) default 'CloudJet', departure_airport varchar(3) not null,
         arrival_airport varchar(3) not null, departure_time time not null, arrival_time time not null,
         duration varchar(20) not null, aircraft varchar(50) not null, base_price int not null,
         total_seats int default 180, is_active boolean default true,
         foreign key (departure_airport) references airports (airport_code),
         foreign key (arrival_airport) references airports (airport_code))",
    "create table flight_schedules (
         schedule_id int auto_increment primary key, flight_id varchar(10) not null, flight_date date not null,
         current_price int not null, available_seats int not null,
         status enum('ACTIVE', 'CANCELLED', 'DELAYED') default 'ACTIVE', created_at timestamp default current_timestamp,
         foreign key (flight_id) references flights (flight_id), unique key unique_flight_date (flight_id, flight_date),
         index idx_flight_date (flight_date))",
    "create table bookings (
         booking_id int auto_increment primary key, booking_number varchar(20) unique not null, user_id int not null,
         schedule_id int not null, seat_number varchar(5), total_amount int not null, contact_email varchar(100) not null,
         contact_phone varchar(20) not null, payment_method varchar(20) not null,
         status enum('CONFIRMED', 'CANCELLED', 'COMPLETED') default 'CONFIRMED',
         created_at timestamp default current_timestamp, foreign key (user_id) references users (user_id),
         foreign key (schedule_id) references flight_schedules (schedule_id),
         index idx_booking_number (booking_number), index idx_user_id (user_id))",
    "create table passengers (
         passenger_id int auto_increment primary key, booking_id int not null, name_kor varchar(50) not null,
         name_eng varchar(100) not null, birth_date date not null, gender enum('M', 'F') not null,
         seat_number varchar(5), foreign key (booking_id) references bookings (booking_id) on delete cascade,
         index idx_booking_id (booking_id))",
    "create table payments (
         payment_id int auto_increment primary key, booking_id int null, user_id int not null,
         method enum('CARD', 'KAKAO') not null, provider enum('NICEPAY', 'KAKAO') not null, amount int not null,
         currency varchar(10) default 'KRW',
         status enum('REQUESTED', 'PAID', 'FAILED', 'CANCELLED') default 'REQUESTED',
         bootpay_receipt_id varchar(64) unique, order_id varchar(64) unique, raw_payload json,
         created_at timestamp default current_timestamp,
         updated_at timestamp default current_timestamp on update current_timestamp,
         foreign key (booking_id) references bookings (booking_id), foreign key (user_id) references users (user_id),
         index idx_status (status), index idx_receipt (bootpay_receipt_id), index idx_order (order_id))",
    "create table flight_discounts (
         discount_id int auto_increment primary key, schedule_id int not null, discount_percentage int not null,
         status enum('ACTIVE', 'INACTIVE', 'EXPIRED') default 'ACTIVE', created_at timestamp default current_timestamp,
         updated_at timestamp default current_timestamp on update current_timestamp,
         foreign key (schedule_id) references flight_schedules (schedule_id), index idx_schedule (schedule_id),
         index idx_status (status))",
];

/// Makes the original's tables, empty.
pub async fn create(connection: &mut MySqlConnection) {
    for table in TABLES {
        execute(connection, &format!("{table} engine = innodb default charset = utf8mb4 collate = utf8mb4_unicode_ci"))
            .await;
    }
}

/// Makes the original's tables and fills them. The flights that are sold leave from `day` on.
pub async fn create_used(connection: &mut MySqlConnection, day: NaiveDate) {
    create(connection).await;
    execute(
        connection,
        "insert into users (name, email, password_hash, phone, birth_date, role)
         values ('관리자', 'admin@cloudjet.com', 'admin123', '010-0000-0000', '1980-01-01', 'ADMIN')",
    )
    .await;
    for (name, stored) in STORED {
        execute(
            connection,
            &format!(
                "insert into users (name, email, password_hash, phone, birth_date)
                 values ('승객', '{name}@example.com', '{stored}', '010-1234-5678', '1990-02-03')"
            ),
        )
        .await;
    }
    let date = |days| day.checked_add_days(Days::new(days)).unwrap_or(day);
    let (second, third, fourth) = (date(1), date(2), date(3));
    for statement in [
        // 13 to 16: markup, and addresses that only differ by it.
        r#"insert into users (name, email, password_hash, phone, role) values
               ('<b>김</b>해커', 'x" onfocus=alert(1)@example.com', '!', '<i>010-0000</i>', null),
               ('김', 'kim@example.com', '!', null, 'USER'),
               ('김', 'kim<br>@example.com', '!', null, 'USER'),
               ('김', 'lee<b>@example.com', '!', null, 'USER')"#,
        "delete from users where user_id = 16",
        "insert into users (user_id, name, email, password_hash) values (17, '이', 'lee<b>@example.com', '!'), (18, '박', 'gone@example.com', '!')",
        "delete from users where user_id = 18",
        "insert into airports values ('ICN', '인천국제공항', '서울', '대한민국'), ('NRT', '나리타국제공항', '도쿄', '일본'),
             ('LAX', '로스앤젤레스국제공항', '로스앤젤레스', '미국')",
        r#"insert into flights values
               ('CJ101', 'CloudJet', 'ICN', 'NRT', '06:30', '09:15', '2시간 45분', 'Boeing 737-800', 320000, 180, 1),
               ('CJ900', null, 'ICN', 'LAX', '25:30', '06:30', '11시간', '<script>alert(1)</script>Jet', -5, null, null),
               ('CJ999', 'CloudJet', 'ICN', 'ICN', '10:00', '11:00', '1시간', 'Boeing 737-800', 50000, 0, 1),
               ('X"><b>', 'CloudJet', 'ICN', 'NRT', '12:00', '14:45', '2시간 45분', 'Airbus A320', 320000, 180, 1)"#,
        &format!(
            r#"insert into flight_schedules (flight_id, flight_date, current_price, available_seats, status) values
                   ('CJ101', '{day}', 300000, 170, 'ACTIVE'), ('CJ101', '{second}', 300000, -2, 'ACTIVE'),
                   ('CJ101', '{third}', 300000, 180, null), ('CJ900', '{day}', -100, 180, 'ACTIVE'),
                   ('X"><b>', '{fourth}', 300000, 180, 'ACTIVE'), ('CJ101', '2026-01-05', 300000, 179, 'ACTIVE')"#
        ),
        "insert into flight_discounts (schedule_id, discount_percentage, status) values
             (1, 10, 'ACTIVE'), (1, 20, 'ACTIVE'), (2, 150, 'ACTIVE'), (3, 0, 'ACTIVE'), (3, 15, null), (3, 30, 'INACTIVE')",
        "insert into bookings (booking_number, user_id, schedule_id, seat_number, total_amount, contact_email,
                               contact_phone, payment_method, status, created_at) values
             ('CJAAAAAAA1', 2, 1, '6D', 600000, 'scrypt@example.com', '010-1234-5678', 'card', 'CONFIRMED', '2026-11-01 10:00:00'),
             ('CJAAAAAAA2', 3, 1, '6D', 300000, '<b>a@b.c', '010', 'card', 'CONFIRMED', '2026-11-01 11:00:00'),
             ('CJAAAAAAA3', 3, 1, '99Z', 300000, 'a@b.c', '010', 'card', null, '2026-11-01 12:00:00'),
             ('CJAAAAAAA4', 4, 1, '12a', 300000, 'a@b.c', '010', 'card', 'CONFIRMED', '2026-11-01 13:00:00'),
             ('CJAAAAAAA5', 2, 1, '6D', 300000, 'a@b.c', '010', 'card', 'CANCELLED', '2026-11-01 09:00:00'),
             ('CJAAAAAAA6', 2, 2, null, 900000, 'a@b.c', '010', 'card', 'CONFIRMED', '2026-11-02 10:00:00'),
             ('CJAAAAAAA7', 2, 6, '1A', 300000, 'a@b.c', '010', 'card', 'COMPLETED', '2026-01-01 10:00:00'),
             ('CJAAAAAAA8', 5, 1, '3C', 0, 'a@b.c', '010', 'card', 'CONFIRMED', '2026-11-02 11:00:00'),
             ('CJAAAAAAA9', 2, 3, '26A', 300001, 'a@b.c', '010', 'card', 'CONFIRMED', '2026-11-02 12:00:00')",
        "insert into passengers (booking_id, name_kor, name_eng, birth_date, gender, seat_number) values
             (1, '김하늘', 'KIM HANEUL', '1990-02-03', 'F', '6D'), (1, '김바다', 'KIM BADA', '1991-02-03', 'M', '6D'),
             (2, '<img src=x onerror=alert(1)>', 'LEE\tONE', '1990-02-03', 'M', '6D'),
             (3, '이둘', 'LEE TWO', '1990-02-03', 'M', '99Z'), (4, '박하나', 'PARK ONE', '1990-02-03', 'M', '12a'),
             (5, '김하늘', 'KIM HANEUL', '1990-02-03', 'F', '6D'),
             (6, '김하늘', 'KIM HANEUL', '1990-02-03', 'F', null), (6, '김바다', 'KIM BADA', '1991-02-03', 'M', null),
             (6, '김나무', 'KIM NAMU', '1992-02-03', 'M', null), (7, '김하늘', 'KIM HANEUL', '1990-02-03', 'F', '1A'),
             (9, '김하늘', 'KIM HANEUL', '1990-02-03', 'F', '26A')",
        r#"insert into payments (booking_id, user_id, method, provider, amount, status, bootpay_receipt_id, order_id,
                                 raw_payload, created_at) values
               (1, 2, 'CARD', 'NICEPAY', 600000, 'PAID', 'receipt-1', 'CJ-ORD-2-1-aaaaaaa1', '{"status": "1"}', '2026-11-01 09:58:00'),
               (null, 3, 'CARD', 'NICEPAY', 300000, 'REQUESTED', null, 'CJ-ORD-3-1-aaaaaaa2', null, '2026-11-01 10:58:00'),
               (null, 5, 'CARD', 'NICEPAY', 777000, 'PAID', 'receipt-3', 'CJ-ORD-5-1-aaaaaaa3', null, '2026-11-01 10:00:00'),
               (4, 4, 'KAKAO', 'KAKAO', 300000, 'PAID', null, 'CJ-ORD-4-1-aaaaaaa4', null, '2026-11-01 12:58:00'),
               (null, 6, 'CARD', 'NICEPAY', 300000, 'FAILED', 'receipt-5', 'CJ-ORD-6-1-aaaaaaa5', null, '2026-11-01 10:00:00'),
               (5, 2, 'CARD', 'NICEPAY', 300000, 'CANCELLED', 'receipt-6', 'CJ-ORD-2-1-aaaaaaa6', null, '2026-11-01 08:58:00'),
               (null, 3, 'CARD', 'NICEPAY', 300000, 'PAID', 'receipt-7', 'mine', null, '2026-11-01 11:58:00'),
               (null, 2, 'CARD', 'NICEPAY', -5, null, null, null, null, null),
               (null, 2, 'CARD', 'NICEPAY', 300001, 'PAID', 'receipt-9', 'CJ-ORD-2-3-aaaaaaa9', null, '2026-11-02 11:58:00')"#,
    ] {
        execute(connection, statement).await;
    }
}

async fn execute(connection: &mut MySqlConnection, sql: &str) {
    connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}
