//! `POST /api/payments/init`: before anybody's card is charged, everything that can be refused is refused.

use axum::extract::State;
use axum::http::StatusCode;
use common::auth::User;
use common::error::{ApiError, Problem};
use common::events::Cause;
use common::http::openapi::{Failures, KeyRefused, NotSignedIn, Repeatable};
use common::http::wire::{self, Id};
use common::http::{Json, RequestId};
use common::idempotency::{Keyed, Once, Told};
use common::money::Money;
use orders::Orders;
use orders::payments::{InitError, Method, NewPayment, Processor, Requested, Target};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ApplicationId;
use crate::booking_name::BookingName;

/// What the payment window calls a payment whose client gives it no name.
const DEFAULT_ORDER_NAME: &str = "CloudJet 항공권 결제";

/// What somebody wants to pay. Names may also be written with underscores (`schedule_id`).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InitRequest {
    /// In won: the price of one to nine seats, or the booking's total.
    #[schema(required = true, nullable = false, minimum = 1, example = 640_000)]
    amount: Option<i64>,
    /// The schedule whose seats are to be booked after. They are reserved for a while.
    #[serde(alias = "schedule_id")]
    schedule_id: Option<Id>,
    /// The pending booking this pays for; it has its seats already.
    #[serde(alias = "booking_id")]
    booking_id: Option<BookingName>,
    /// What the payment window shows.
    #[serde(alias = "order_name")]
    #[schema(max_length = 200, example = "CJ101 항공권 (2명)")]
    order_name: Option<String>,
    /// The client's own order id, if it makes one; never used before by anybody.
    #[serde(alias = "order_id")]
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    order_id: Option<String>,
    /// `CARD` (default) or `KAKAO`, in any case.
    #[schema(example = "CARD")]
    method: Option<String>,
    /// `NICEPAY` (default) or `KAKAO`, in any case.
    #[schema(example = "NICEPAY")]
    provider: Option<String>,
}

/// A payment that was begun, and what the payment window is to be opened with.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PaymentBegun {
    /// Always true.
    #[schema(example = true)]
    success: bool,
    #[schema(example = 1)]
    payment_id: i64,
    #[schema(example = "CJ-ORD-7-10000001-0f3a9c2e")]
    order_id: String,
    bootpay: PaymentWindow,
}

/// What the payment window is to be opened with.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PaymentWindow {
    /// The provider's application id for browsers.
    #[schema(example = "demo-web")]
    application_id: String,
    price: Money,
    #[schema(example = "CloudJet 항공권 결제")]
    order_name: String,
    /// `nicepay` or `kakao`.
    #[schema(example = "nicepay")]
    pg: &'static str,
    /// `card` or `kakao`.
    #[schema(example = "card")]
    method: &'static str,
    /// How the money is taken.
    extra: Extra,
}

/// What else the payment window is to be told.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Extra {
    /// Whether the payment is to stop before the card is charged; then `POST /api/payments/confirm` goes on with it. True
    /// for a booking that was named.
    #[schema(example = true)]
    separately_confirmed: bool,
}

/// Begin a payment.
///
/// With a schedule the price is locked and its seats are reserved for a while, for a booking that is made after. With
/// a pending booking, named or the only one that matches, it is that booking's. With neither it is to be attached.
/// For a booking that is named, `bootpay.extra` asks the payment window to stop before the card is charged; when the
/// buyer has agreed there, confirm the payment.
#[utoipa::path(
    post,
    path = "/api/payments/init",
    operation_id = "begin_payment",
    tag = "payments",
    params(Repeatable),
    request_body(
        content = InitRequest,
        examples(
            ("for a booking" = (
                summary = "for a pending booking",
                value = json!({ "bookingId": "CJ4K7Q2M9X", "amount": 320_000 }),
            )),
            ("for a schedule" = (
                summary = "as the browser client asks: before it books, two seats",
                value = json!({ "scheduleId": "10000001", "amount": 640_000, "orderName": "CJ101 ICN→NRT (2명)" }),
            )),
        ),
    ),
    responses(
        KeyRefused,
        (status = 200, description = "The payment is begun.", body = PaymentBegun),
        (status = 400, description = "A field is missing or can't be accepted, or the amount is not what it costs.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such schedule, or no such booking of the caller's.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Sold out, not on sale, too many unpaid seats held, the booking doesn't wait for a payment, or the order id was used.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON.", body = Problem, content_type = "application/problem+json"),
        NotSignedIn,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn init(
    user: User,
    State(orders): State<Orders>,
    State(ApplicationId(application_id)): State<ApplicationId>,
    request_id: RequestId,
    Keyed(key, Json(request)): Keyed<Json<InitRequest>>,
) -> Result<Told<Requested>, ApiError> {
    let new = request.read(user.id)?;
    let application_id = application_id.ok_or_else(not_configured)?;
    let cause = Cause::user(user.id, request_id.as_str().to_owned());
    let once = Once::new(user.id, key, |begun| (StatusCode::OK, PaymentBegun::new(begun, &application_id, &new)));
    orders.init_payment(&cause, &new, &once).await.map_err(refused)
}

impl InitRequest {
    fn read(self, user_id: i64) -> Result<NewPayment, ApiError> {
        let amount = amount(wire::required(self.amount, "amount")?)?;
        let target = match (self.booking_id.and_then(BookingName::read), self.schedule_id) {
            (Some(booking), _) => Target::Booking(booking),
            (None, Some(schedule)) => Target::Schedule(schedule.0),
            (None, None) => Target::Open,
        };
        Ok(NewPayment {
            user_id,
            target,
            amount,
            method: method(self.method.as_deref())?,
            processor: processor(self.provider.as_deref())?,
            order_id: self.order_id.map(order_id).transpose()?,
            order_name: order_name(self.order_name.as_deref())?,
        })
    }
}

impl PaymentBegun {
    fn new(begun: &Requested, application_id: &str, new: &NewPayment) -> Self {
        let bootpay = PaymentWindow::of(application_id.to_owned(), new);
        Self { success: true, payment_id: begun.payment_id, order_id: begun.order_id.clone(), bootpay }
    }
}

impl PaymentWindow {
    fn of(application_id: String, new: &NewPayment) -> Self {
        Self {
            application_id,
            price: new.amount,
            order_name: new.order_name.clone(),
            pg: match new.processor {
                Processor::Nicepay => "nicepay",
                Processor::Kakao => "kakao",
            },
            method: match new.method {
                Method::Card => "card",
                Method::Kakao => "kakao",
            },
            extra: Extra { separately_confirmed: matches!(new.target, Target::Booking(_)) },
        }
    }
}

/// Some won, and no more than a column holds.
fn amount(won: i64) -> Result<Money, ApiError> {
    if (1..=i32::MAX.into()).contains(&won) {
        Ok(Money::won(won))
    } else {
        Err(ApiError::invalid(
            "amount",
            "1원 이상, 2,147,483,647원 이하여야 합니다.",
            "Must be from 1 to 2,147,483,647 won.",
        ))
    }
}

fn method(text: Option<&str>) -> Result<Method, ApiError> {
    text.unwrap_or(Method::Card.as_str())
        .trim()
        .to_ascii_uppercase()
        .parse()
        .map_err(|_| ApiError::invalid("method", "CARD 또는 KAKAO여야 합니다.", "Must be CARD or KAKAO."))
}

fn processor(text: Option<&str>) -> Result<Processor, ApiError> {
    text.unwrap_or(Processor::Nicepay.as_str())
        .trim()
        .to_ascii_uppercase()
        .parse()
        .map_err(|_| ApiError::invalid("provider", "NICEPAY 또는 KAKAO여야 합니다.", "Must be NICEPAY or KAKAO."))
}

fn order_id(text: String) -> Result<String, ApiError> {
    let sound = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    sound.then_some(text).ok_or_else(|| {
        ApiError::invalid(
            "orderId",
            "영문, 숫자, _, -로 된 1~64자여야 합니다.",
            "Must be 1 to 64 characters out of A–Z a–z 0–9 _ -.",
        )
    })
}

fn order_name(text: Option<&str>) -> Result<String, ApiError> {
    match text.filter(|name| !name.trim().is_empty()) {
        Some(name) => wire::name(name, "orderName", 200),
        None => Ok(DEFAULT_ORDER_NAME.to_owned()),
    }
}

/// 503: nobody could pay.
pub(crate) fn not_configured() -> ApiError {
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "payments-not-configured",
        "지금은 결제를 이용할 수 없습니다.",
        "Payments are not available at the moment.",
    )
}

/// How a refusal is told.
fn refused(error: InitError) -> ApiError {
    match error {
        InitError::UnknownSchedule => {
            ApiError::not_found("schedule-not-found", "항공편을 찾을 수 없습니다.", "There is no such flight.")
        }
        InitError::UnknownBooking => {
            ApiError::not_found("booking-not-found", "예약을 찾을 수 없습니다.", "There is no such booking.")
        }
        InitError::NotPayable => ApiError::conflict(
            "booking-not-payable",
            "결제를 기다리는 예약이 아닙니다.",
            "The booking doesn't wait for a payment (any more).",
        ),
        InitError::NotOnSale => {
            ApiError::conflict("not-on-sale", "예약할 수 없는 항공편입니다.", "This flight can't be booked any more.")
        }
        InitError::WrongAmount => ApiError::invalid(
            "amount",
            "결제 금액이 현재 운임과 다릅니다. 다시 검색해 주세요.",
            "The amount is not what it costs now. Please search again.",
        ),
        InitError::SoldOut => ApiError::conflict("sold-out", "남은 좌석이 부족합니다.", "Not enough seats are left."),
        InitError::TooManyHeld => ApiError::conflict(
            "too-many-held-seats",
            "결제하지 않은 좌석이 너무 많습니다. 먼저 결제하거나 취소해 주세요.",
            "You hold too many unpaid seats on this flight. Pay for them or cancel them first.",
        ),
        InitError::OrderIdUsed => ApiError::conflict(
            "order-id-used",
            "이미 사용된 주문 번호입니다.",
            "This order id was used before. Please make a new one.",
        ),
        InitError::Database(error) => error.into(),
    }
}
