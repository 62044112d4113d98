//! `GET /api/bookings/{booking_number}/cancellation`: what the owner would get back, before they decide.

use axum::extract::State;
use chrono::{DateTime, Utc};
use common::auth::User;
use common::error::{ApiError, Problem};
use common::http::openapi::{Failures, NotSignedIn};
use common::http::{Json, Path};
use common::language::Language;
use common::money::Money;
use orders::Orders;
use orders::bookings::{Cancellation, Obstacle};
use orders::payments::Method;
use orders::refunds::rule::{Rule, Tier};
use serde::Serialize;
use utoipa::ToSchema;

use crate::detail::no_such_booking;

/// What cancelling would pay now. Nothing has changed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CancellationQuote {
    /// Always true.
    #[schema(example = true)]
    success: bool,
    #[schema(example = "CJ4K7Q2M9X")]
    booking_number: String,
    cancellable: bool,
    /// Why it can't be cancelled, as the cancel would refuse it: `booking-not-cancellable` or `flight-departed`.
    #[schema(required, example = json!(null))]
    reason: Option<&'static str>,
    /// What would go back: the sum of the lines. 0 where nothing is paid yet.
    refund_amount: Money,
    /// What went back before, or is on its way.
    #[schema(example = 0)]
    already_refunded: Money,
    #[schema(example = "KRW")]
    currency: &'static str,
    /// Where it would go: back to what paid, `card` or `kakao`. Null where nothing goes back.
    #[schema(required, example = "card")]
    refund_to: Option<&'static str>,
    /// How it comes about.
    lines: Vec<QuoteLine>,
    /// By which terms: those of the day it was booked.
    rule: QuoteRule,
    /// How many seats would be free.
    #[schema(example = 1)]
    seats_released: i64,
    /// Until when this is so: the next step of the terms, departure, or until when the booking must be paid. Null where
    /// it can't be cancelled.
    #[schema(required, example = "2026-11-30T21:30:00Z")]
    expires_at: Option<DateTime<Utc>>,
}

/// A part of what would go back.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QuoteLine {
    kind: QuoteLineKind,
    /// Which passenger, counted from 1 in the booking's order.
    #[schema(required, example = 1)]
    passenger: Option<usize>,
    /// What was paid for them.
    #[schema(required)]
    price: Option<Money>,
    /// What the airline keeps of it.
    #[schema(required, example = 0)]
    fee: Option<Money>,
    /// What it adds to the refund; negative where it takes away.
    amount: Money,
}

/// What a line is about.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum QuoteLineKind {
    /// A passenger's price, less what the airline keeps.
    Passenger,
    /// What went back before is taken off.
    AlreadyRefunded,
}

/// The terms of cancelling.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QuoteRule {
    #[schema(example = 1)]
    version: i32,
    /// For people.
    #[schema(example = "출발 전까지 전액 환불")]
    description: String,
}

/// Ask what cancelling would pay.
///
/// Changes nothing. Cancelling before `expires_at` pays exactly this, unless more was refunded meanwhile.
#[utoipa::path(
    get,
    path = "/api/bookings/{booking_number}/cancellation",
    operation_id = "quote_cancellation",
    tag = "bookings",
    params(("booking_number" = String, Path, description = "The booking's number.", example = "CJ4K7Q2M9X")),
    responses(
        (status = 200, description = "What it would pay.", body = CancellationQuote),
        (status = 404, description = "There is no such booking, or it is somebody else's.", body = Problem, content_type = "application/problem+json"),
        NotSignedIn,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn quote(
    user: User,
    State(orders): State<Orders>,
    language: Language,
    Path(number): Path<String>,
) -> Result<Json<CancellationQuote>, ApiError> {
    let cancellation = orders.cancellation(user.id, &number).await?.ok_or_else(no_such_booking)?;
    Ok(Json(CancellationQuote::of(cancellation, language)))
}

impl CancellationQuote {
    fn of(cancellation: Cancellation, language: Language) -> Self {
        let quote = &cancellation.quote;
        let goes_back = quote.amount > Money::ZERO;
        Self {
            success: true,
            booking_number: cancellation.booking_number,
            cancellable: cancellation.obstacle.is_none(),
            reason: cancellation.obstacle.map(|obstacle| match obstacle {
                Obstacle::NotLive => "booking-not-cancellable",
                Obstacle::Departed => "flight-departed",
            }),
            refund_amount: quote.amount,
            already_refunded: cancellation.refunded,
            currency: Money::CURRENCY,
            refund_to: cancellation.method.filter(|_| goes_back).map(|method| match method {
                Method::Card => "card",
                Method::Kakao => "kakao",
            }),
            lines: QuoteLine::of(quote),
            rule: QuoteRule {
                version: cancellation.rule.version,
                description: description(&cancellation.rule, language),
            },
            seats_released: cancellation.seats,
            expires_at: cancellation.expires_at,
        }
    }
}

impl QuoteLine {
    fn of(quote: &orders::refunds::rule::Quote) -> Vec<Self> {
        let passengers = quote.lines.iter().zip(1..).map(|(line, passenger)| Self {
            kind: QuoteLineKind::Passenger,
            passenger: Some(passenger),
            price: Some(line.price),
            fee: Some(line.kept),
            amount: line.back,
        });
        let deducted = (quote.deducted > Money::ZERO).then(|| Self {
            kind: QuoteLineKind::AlreadyRefunded,
            passenger: None,
            price: None,
            fee: None,
            amount: Money::won(-quote.deducted.as_won()),
        });
        passengers.chain(deducted).collect()
    }
}

/// A rule in words, step by step.
fn description(rule: &Rule, language: Language) -> String {
    if rule.tiers.is_empty() {
        return language.pick("환불 불가", "No refund").to_owned();
    }
    rule.tiers.iter().map(|tier| step(*tier, language)).collect::<Vec<_>>().join(language.pick(", ", "; "))
}

fn step(Tier { hours, percent, fee }: Tier, language: Language) -> String {
    let fee = fee.as_won();
    match language {
        Language::Korean => {
            let until =
                if hours == 0 { "출발 전까지".to_owned() } else { format!("출발 {hours}시간 전까지") };
            let back = if percent == 100 { "전액 환불".to_owned() } else { format!("{percent}% 환불") };
            let less = if fee == 0 { String::new() } else { format!(" (1인당 수수료 {fee}원)") };
            format!("{until} {back}{less}")
        }
        Language::English => {
            let until =
                if hours == 0 { "until departure".to_owned() } else { format!("until {hours} hours before departure") };
            let back = if percent == 100 { "full refund".to_owned() } else { format!("{percent}% refund") };
            let less = if fee == 0 { String::new() } else { format!(" less {fee} won per passenger") };
            format!("{back}{less} {until}")
        }
    }
}
