//! The journey: what a passenger and an administrator do, in order. Every request asserts its answer and keeps what
//! later ones need, so that it runs again and again on the same system.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::super::operation::Operation;
use super::request::{self, Wish};

/// One request.
struct Step {
    name: &'static str,
    /// The operation's id; [`SIMULATOR`] for the payment simulator's control.
    operation: &'static str,
    /// With references to variables.
    body: Option<&'static str>,
    /// Lines that run before it.
    before: &'static [&'static str],
    status: u16,
    /// What must be true of `answer`.
    holds: &'static [&'static str],
    /// Which variables get which part of `answer`.
    keeps: &'static [(&'static str, &'static str)],
}

const SIMULATOR: &str = "simulator";

/// A step that a few fields are enough for.
const PLAIN: Step = Step { name: "", operation: "", body: None, before: &[], status: 200, holds: &[], keeps: &[] };

const PASSENGER: [Step; 16] = [
    Step {
        name: "Sign up",
        operation: "sign_up",
        before: &["pm.collectionVariables.set('email', `journey-${Date.now()}@example.com`);"],
        body: Some(
            r#"{
  "name": "김하늘",
  "email": "{{email}}",
  "password": "{{password}}",
  "phone": "010-1234-5678",
  "birthDate": "1990-02-03"
}"#,
        ),
        status: 201,
        holds: &["answer.success === true"],
        ..PLAIN
    },
    Step {
        name: "Log in",
        operation: "log_in",
        body: Some("{\n  \"email\": \"{{email}}\",\n  \"password\": \"{{password}}\"\n}"),
        holds: &["answer.user.role === 'USER'", "answer.token.split('.').length === 3"],
        keeps: &[("token", "answer.token")],
        ..PLAIN
    },
    Step {
        name: "Airports",
        operation: "list_airports",
        holds: &["answer.airports.some((airport) => airport.airport_code === pm.variables.get('departure'))"],
        ..PLAIN
    },
    Step {
        name: "Search",
        operation: "search_flights",
        holds: &[
            "answer.total > 0 && answer.total === answer.flights.length",
            "answer.flights.every((flight) => Number.isInteger(flight.price) && flight.available_seats > 0)",
        ],
        keeps: &[("scheduleId", "answer.flights[0].schedule_id"), ("amount", "answer.flights[0].price")],
        ..PLAIN
    },
    Step {
        name: "Seats that are gone",
        operation: "list_occupied_seats",
        holds: &["Array.isArray(answer.occupied_seats)"],
        keeps: &[(
            "seatId",
            "Array.from({ length: 150 }, (_, n) => `${1 + Math.floor(n / 6)}${'ABCDEF'[n % 6]}`).find((seat) => !answer.occupied_seats.includes(seat))",
        )],
        ..PLAIN
    },
    Step {
        name: "Book",
        operation: "create_booking",
        body: Some(
            r#"{
  "schedule_id": {{scheduleId}},
  "seat_id": "{{seatId}}",
  "passengers": [{ "name": "김하늘", "birth_date": "1990-02-03", "phone": "010-1234-5678" }]
}"#,
        ),
        status: 201,
        holds: &[
            "answer.status === 'PENDING'",
            "/^CJ[A-Z0-9]{8}$/.test(answer.booking_number)",
            "String(answer.total_amount) === String(pm.variables.get('amount'))",
        ],
        keeps: &[("bookingId", "answer.booking_id"), ("bookingNumber", "answer.booking_number")],
        ..PLAIN
    },
    Step {
        name: "The seat is gone now",
        operation: "list_occupied_seats",
        holds: &["answer.occupied_seats.includes(pm.variables.get('seatId'))"],
        ..PLAIN
    },
    Step {
        name: "My bookings",
        operation: "list_bookings",
        holds: &[
            "answer.bookings[0].booking_number === pm.variables.get('bookingNumber')",
            "answer.bookings[0].passengers[0].seat_number === pm.variables.get('seatId')",
        ],
        ..PLAIN
    },
    Step {
        name: "The booking waits for its payment",
        operation: "get_booking",
        holds: &["answer.booking.status === 'PENDING'", "answer.booking.payment_due_at !== null"],
        keeps: &[("passengerId", "answer.booking.passengers[0].passenger_id")],
        ..PLAIN
    },
    Step {
        name: "The seat map shows its seat held",
        operation: "show_seat_map",
        holds: &[
            "answer.rows.some((row) => row.seats.some((seat) => seat.seat_id === pm.variables.get('seatId') && seat.state === 'held'))",
        ],
        keeps: &[("seatId", "answer.rows.flatMap((row) => row.seats).find((seat) => seat.state === 'free').seat_id")],
        ..PLAIN
    },
    Step {
        name: "Choose another seat",
        operation: "choose_seats",
        body: Some(
            r#"{
  "seats": [{ "passenger_id": {{passengerId}}, "seat_id": "{{seatId}}" }]
}"#,
        ),
        holds: &["answer.booking.passengers[0].seat_number === pm.variables.get('seatId')"],
        ..PLAIN
    },
    Step {
        name: "Begin to pay",
        operation: "begin_payment",
        body: Some("{\n  \"bookingId\": \"{{bookingNumber}}\",\n  \"amount\": {{amount}}\n}"),
        holds: &["answer.success === true", "answer.bootpay.price === Number(pm.variables.get('amount'))"],
        keeps: &[("orderId", "answer.order_id")],
        ..PLAIN
    },
    Step {
        name: "Approve the payment on the simulator",
        operation: SIMULATOR,
        body: Some("{\n  \"order_id\": \"{{orderId}}\",\n  \"price\": {{amount}}\n}"),
        holds: &["answer.status === 1", "answer.webhook.delivered === true"],
        ..PLAIN
    },
    Step {
        name: "The booking is confirmed",
        operation: "get_booking",
        holds: &["answer.booking.status === 'CONFIRMED'", "answer.booking.payment_due_at === null"],
        ..PLAIN
    },
    Step {
        name: "Cancel",
        operation: "cancel_booking",
        holds: &["answer.success === true", "answer.booking_number === pm.variables.get('bookingNumber')"],
        ..PLAIN
    },
    Step {
        name: "The booking is cancelled",
        operation: "get_booking",
        holds: &["answer.booking.status === 'CANCELLED'", "answer.booking.cancel_reason === 'OWNER'"],
        ..PLAIN
    },
];

const ADMINISTRATOR: [Step; 14] = [
    Step {
        name: "Log in as administrator",
        operation: "log_in",
        body: Some("{\n  \"email\": \"{{adminEmail}}\",\n  \"password\": \"{{adminPassword}}\"\n}"),
        holds: &["answer.user.role === 'ADMIN'"],
        keeps: &[("adminToken", "answer.token")],
        ..PLAIN
    },
    Step {
        name: "Flights on sale",
        operation: "list_flights",
        holds: &["answer.flights.length > 0", "answer.flights.every((flight) => flight.is_active)"],
        ..PLAIN
    },
    Step {
        name: "Publish a flight on a day",
        operation: "publish_flight",
        before: &["pm.collectionVariables.set('flightId', 'PM101');"],
        body: Some(
            r#"{
  "flight": {
    "flight_id": "{{flightId}}",
    "departure_airport": "{{departure}}",
    "arrival_airport": "{{arrival}}",
    "departure_time": "10:00",
    "arrival_time": "12:30",
    "aircraft": "Boeing 737-800",
    "base_price": 120000
  },
  "schedule": { "mode": "single", "date": "{{date}}", "overwrite": true }
}"#,
        ),
        status: 201,
        holds: &["answer.result.flight_id === pm.variables.get('flightId')", "answer.result.created_schedules === 1"],
        ..PLAIN
    },
    Step {
        name: "Its schedule",
        operation: "list_schedules",
        holds: &["answer.schedules.length > 0"],
        keeps: &[(
            "scheduleId",
            "answer.schedules.find((one) => one.flight_id === pm.variables.get('flightId') && one.flight_date === pm.variables.get('date')).schedule_id",
        )],
        ..PLAIN
    },
    Step {
        name: "Discount it",
        operation: "create_discount",
        body: Some("{\n  \"schedule_id\": {{scheduleId}},\n  \"discount_percentage\": 25\n}"),
        status: 201,
        holds: &["answer.success === true"],
        keeps: &[("discountId", "answer.discount_id")],
        ..PLAIN
    },
    Step {
        name: "The discount is listed",
        operation: "list_discounts",
        holds: &[
            "answer.discounts.some((one) => one.discount_id === pm.variables.get('discountId') && one.discounted_price === 90000)",
        ],
        ..PLAIN
    },
    Step {
        name: "Passengers find it at once",
        operation: "search_flights",
        holds: &[
            "answer.flights.some((flight) => flight.flight_id === pm.variables.get('flightId') && flight.price === 90000 && flight.discount_percentage === 25)",
        ],
        ..PLAIN
    },
    Step {
        name: "A passenger books it",
        operation: "create_booking",
        body: Some(
            r#"{
  "schedule_id": {{scheduleId}},
  "passengers": [{ "name": "김하늘", "birth_date": "1990-02-03", "phone": "010-1234-5678" }]
}"#,
        ),
        status: 201,
        holds: &["answer.total_amount === 90000"],
        keeps: &[
            ("bookingId", "answer.booking_id"),
            ("bookingNumber", "answer.booking_number"),
            ("term", "answer.booking_number"),
        ],
        ..PLAIN
    },
    Step {
        name: "Everybody's bookings",
        operation: "list_all_bookings",
        holds: &["answer.bookings[0].booking_number === pm.variables.get('bookingNumber')"],
        ..PLAIN
    },
    Step {
        name: "Search the booking",
        operation: "search_bookings",
        holds: &[
            "answer.bookings.length === 1",
            "answer.bookings[0].booking_number === pm.variables.get('bookingNumber')",
            "answer.bookings[0].user_email === pm.variables.get('email')",
        ],
        ..PLAIN
    },
    Step {
        name: "Cancel it for the passenger",
        operation: "cancel_any_booking",
        holds: &["answer.success === true"],
        ..PLAIN
    },
    Step {
        name: "The passenger sees it cancelled",
        operation: "get_booking",
        holds: &["answer.booking.status === 'CANCELLED'", "answer.booking.cancel_reason === 'ADMIN'"],
        ..PLAIN
    },
    Step { name: "Remove the discount", operation: "remove_discount", holds: &["answer.success === true"], ..PLAIN },
    Step {
        name: "Take the flight off sale",
        operation: "deactivate_flight",
        holds: &["answer.success === true"],
        ..PLAIN
    },
];

/// The folder with the whole journey. An administrator travels along once a service for administrators has more than
/// its health to offer.
///
/// # Errors
/// When a step's operation isn't there any more, or doesn't describe the answer the step expects.
pub(super) fn folder(operations: &[Operation]) -> Result<Value> {
    let has_admin = operations.iter().any(|operation| operation.audience() == "administrators");
    let mut parts = vec![("A passenger", &PASSENGER[..])];
    if has_admin {
        parts.push(("An administrator", &ADMINISTRATOR));
    }
    let mut number = 0;
    let mut folders = Vec::new();
    for (name, steps) in parts {
        let mut items = Vec::new();
        for step in steps {
            number += 1;
            items.push(item(number, step, operations)?);
        }
        folders.push(json!({ "name": name, "item": items }));
    }
    Ok(json!({
        "name": "Journey",
        "description": "From signing up to a cancelled booking, money and all.",
        "item": folders,
    }))
}

fn item(number: usize, step: &Step, operations: &[Operation]) -> Result<Value> {
    let wish = Wish {
        id: format!("journey-{number:02}"),
        name: format!("{number}. {}", step.name),
        body: step.body.map(str::to_owned),
        before: step.before,
        tests: step.tests(),
    };
    if step.operation == SIMULATOR {
        return Ok(request::post("{{simulatorUrl}}/simulator/payments", &wish));
    }
    let operation = operations.iter().find(|operation| operation.id == step.operation);
    let operation =
        operation.with_context(|| format!("the journey wants {}, which no service describes", step.operation))?;
    let described = operation.described["responses"].get(step.status.to_string()).is_some();
    ensure!(described, "{} doesn't describe the {} of the journey", step.operation, step.status);
    Ok(request::item(operation, &wish))
}

impl Step {
    fn tests(&self) -> Vec<String> {
        let status = format!("pm.response.to.have.status({});", self.status);
        let mut tests = vec![
            request::test(&format!("status {}", self.status), &[&status]),
            "const answer = pm.response.json();".to_owned(),
        ];
        tests.extend(self.holds.iter().map(|fact| request::test(fact, &[&format!("pm.expect({fact}).to.be.true;")])));
        tests.extend(self.keeps.iter().map(|(name, part)| format!("pm.collectionVariables.set('{name}', {part});")));
        tests
    }
}
