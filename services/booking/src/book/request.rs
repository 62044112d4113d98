//! Reading a booking request, in both of its dialects: the browser client's (`scheduleId`, `seats`, `contactInfo`) and
//! the documented one (`schedule_id`, `seat_id`, a phone per passenger).

use std::collections::HashSet;

use chrono::NaiveDate;
use common::error::ApiError;
use common::http::wire::{self, Id, required};
use common::money::Money;
use orders::bookings::{Contact, Gender, MOST_PASSENGERS, NewBooking, Passenger};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::chosen;

/// A booking request. `scheduleId` speaks the browser client's dialect, `schedule_id` the documented one.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct BookingRequest {
    #[serde(rename = "scheduleId")]
    schedule_id_of_client: Option<Id>,
    schedule_id: Option<Id>,
    /// Who flies: one to nine.
    #[schema(required = true, nullable = false, min_items = 1, max_items = 9)]
    passengers: Option<Vec<PassengerRequest>>,
    /// Seats for the first passengers; the others get none. At most one each.
    #[schema(example = json!(["12A"]))]
    seats: Option<Vec<String>>,
    /// The first passenger's seat.
    #[schema(example = "12A")]
    seat_id: Option<String>,
    /// Required beside `scheduleId`; else the account's own.
    #[serde(rename = "contactInfo")]
    contact_info: Option<ContactRequest>,
    /// How the traveller wants to pay; `card` when absent.
    #[serde(rename = "paymentMethod", alias = "payment_method")]
    #[schema(example = "card")]
    payment_method: Option<String>,
    /// What the client believes it costs in all, in won. Compared, never believed.
    #[serde(rename = "totalAmount", alias = "total_amount")]
    #[schema(example = 320_000)]
    total_amount: Option<i64>,
}

/// A passenger.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct PassengerRequest {
    /// Name in Korean, or the only one.
    #[schema(required = true, nullable = false, max_length = 50, example = "김하늘")]
    name: Option<String>,
    /// Name in English. Required beside `scheduleId`.
    #[serde(rename = "nameEn", alias = "name_en")]
    #[schema(max_length = 100, example = "KIM HANEUL")]
    name_en: Option<String>,
    /// Date of birth.
    #[schema(example = "1990-02-03")]
    birth: Option<String>,
    /// Date of birth in the documented dialect.
    #[schema(example = "1990-02-03")]
    birth_date: Option<String>,
    /// Required beside `scheduleId`.
    gender: Option<Gender>,
    #[schema(max_length = 20, example = "010-1234-5678")]
    phone: Option<String>,
}

/// Where to reach the passengers.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ContactRequest {
    #[schema(required = true, nullable = false, max_length = 100, example = "haneul@example.com")]
    email: Option<String>,
    #[schema(required = true, nullable = false, max_length = 20, example = "010-1234-5678")]
    phone: Option<String>,
}

impl BookingRequest {
    /// Reads what is wanted for the account `user_id`, refusing the first field that can't be accepted, and answers which
    /// field named the seats. `today` bounds dates of birth.
    pub(crate) fn read(self, user_id: i64, today: NaiveDate) -> Result<(NewBooking, &'static str), ApiError> {
        let client = self.schedule_id_of_client.is_some() || self.schedule_id.is_none();
        let schedule_id = required(self.schedule_id_of_client.or(self.schedule_id), "scheduleId")?.0;
        let requested = required(self.passengers, "passengers")?;
        if !(1..=MOST_PASSENGERS).contains(&requested.len()) {
            return Err(ApiError::invalid(
                "passengers",
                "승객은 1명에서 9명까지입니다.",
                "There must be one to nine passengers.",
            ));
        }
        let mut passengers = Vec::with_capacity(requested.len());
        for (n, passenger) in requested.into_iter().enumerate() {
            passengers.push(passenger.read(&format!("passengers[{n}]"), client, today)?);
        }
        let contact = match self.contact_info {
            Some(contact) => Some(contact.read()?),
            None if client => return Err(ApiError::missing("contactInfo")),
            None => None,
        };
        let payment_method = label(self.payment_method.as_deref().unwrap_or("card"), "paymentMethod", 20)?;
        let seats_field = seat(&mut passengers, self.seats, self.seat_id)?;
        let total = self.total_amount.map(Money::won);
        Ok((NewBooking { user_id, schedule_id, passengers, contact, payment_method, total }, seats_field))
    }
}

impl PassengerRequest {
    fn read(self, field: &str, client: bool, today: NaiveDate) -> Result<Passenger, ApiError> {
        let name = wire::name(&self.name.unwrap_or_default(), &format!("{field}.name"), 50)?;
        let name_eng = match self.name_en {
            Some(name) => Some(wire::name(&name, &format!("{field}.nameEn"), 100)?),
            None if client => return Err(ApiError::missing(format!("{field}.nameEn"))),
            None => None,
        };
        let spelled = if client { "birth" } else { "birth_date" };
        let born = wire::required_text(self.birth.or(self.birth_date), &format!("{field}.{spelled}"))?;
        let birth_date = wire::birth_date(&born, &format!("{field}.{spelled}"), today)?;
        if client && self.gender.is_none() {
            return Err(ApiError::missing(format!("{field}.gender")));
        }
        let phone = self.phone.map(|phone| label(&phone, &format!("{field}.phone"), 20)).transpose()?;
        Ok(Passenger { name_kor: name, name_eng, birth_date, gender: self.gender, phone, seat: None })
    }
}

impl ContactRequest {
    /// The browser client asks for no more than something in each field, and after the card is charged is too late
    /// to ask for more.
    fn read(self) -> Result<Contact, ApiError> {
        let email = label(self.email.as_deref().unwrap_or_default(), "contactInfo.email", 100)?;
        let phone = label(self.phone.as_deref().unwrap_or_default(), "contactInfo.phone", 20)?;
        Ok(Contact { email, phone })
    }
}

/// A short text that isn't blank, trimmed, without markup and without quotes that could end an attribute.
fn label(text: &str, field: &str, longest: usize) -> Result<String, ApiError> {
    let text = wire::name(text, field, longest)?;
    if text.contains(['"', '\'', '`']) {
        return Err(ApiError::invalid(field.to_owned(), "따옴표는 사용할 수 없습니다.", "Quotes are not allowed."));
    }
    Ok(text)
}

/// Gives the seats to the first passengers. Answers which field named them.
fn seat(
    passengers: &mut [Passenger],
    seats: Option<Vec<String>>,
    seat_id: Option<String>,
) -> Result<&'static str, ApiError> {
    let (field, labels) = match (seats, seat_id) {
        (None, Some(seat)) => ("seat_id", vec![seat]),
        (seats, _) => ("seats", seats.unwrap_or_default()),
    };
    if labels.len() > passengers.len() {
        return Err(ApiError::invalid(field, "승객보다 좌석이 많습니다.", "There are more seats than passengers."));
    }
    let mut seen = HashSet::new();
    for (passenger, label) in passengers.iter_mut().zip(&labels) {
        let seat = chosen::read(label, field)?;
        if !seen.insert(seat) {
            return Err(chosen::twice(field));
        }
        passenger.seat = Some(seat);
    }
    Ok(field)
}
