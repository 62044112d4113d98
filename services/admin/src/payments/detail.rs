//! `GET /api/admin/payments/{payment}`: everything that is known of a payment.

use axum::extract::State;
use common::auth::Admin;
use common::error::{ApiError, Problem};
use common::http::openapi::{Failures, NotAdministrator};
use common::http::{Json, Path};
use common::language::Language;
use common::page::Page;
use orders::Orders;
use orders::payments::{
    ChargedReceipt, PaymentDetail, PaymentRef, ProviderEvent, ProviderEventFilter, RefundEntry, RefundFilter,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::AnyPayment;
use crate::events::{self, Event};

/// The most refunds and messages that are told of one payment: the newest.
const MOST: u32 = 100;

/// A payment, its receipts, its refunds, what the provider told of it, and its history.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PaymentFile {
    payment: AnyPayment,
    /// Its receipts at the provider, in the order we heard of them.
    charges: Vec<ChargedReceipt>,
    /// What goes back, or went, the newest first.
    refunds: Vec<RefundEntry>,
    /// What the provider told of its order by webhook, the newest first.
    provider_events: Vec<ProviderEvent>,
    /// What happened to it and to its refunds, the newest first.
    events: Vec<Event>,
}

/// Show everything that is known of a payment.
///
/// What the provider charged and gave back, what goes back, what the provider told, and who did what. Digits are an order
/// id first, and then a payment's id.
#[utoipa::path(
    get,
    path = "/api/admin/payments/{payment}",
    operation_id = "get_any_payment",
    tag = "payments",
    params(("payment" = String, Path, description = "The payment's id, or its order id.", example = "1")),
    responses(
        (status = 200, description = "The payment.", body = PaymentFile),
        (status = 404, description = "There is no such payment.", body = Problem, content_type = "application/problem+json"),
        NotAdministrator,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn detail(
    _: Admin,
    State(orders): State<Orders>,
    language: Language,
    Path(name): Path<String>,
) -> Result<Json<PaymentFile>, ApiError> {
    let found = orders.payment(&PaymentRef::new(name), language).await?.ok_or_else(no_such_payment)?;
    Ok(Json(PaymentFile::of(&orders, found, language).await?))
}

impl PaymentFile {
    async fn of(orders: &Orders, found: PaymentDetail, language: Language) -> sqlx::Result<Self> {
        let PaymentDetail { payment, charges, .. } = found;
        let page = Page::default().or_at_most(MOST);
        let of_it = RefundFilter { payment_id: Some(payment.payment_id), ..RefundFilter::default() };
        let refunds = orders.refunds(&of_it, page, language).await?;
        let provider_events = match payment.order_id.clone() {
            Some(order_id) => {
                let of_order = ProviderEventFilter { order_id: Some(order_id), ..ProviderEventFilter::default() };
                orders.provider_events(&of_order, page).await?
            }
            None => Vec::new(),
        };
        let refund_ids: Vec<_> = payment.refunds.iter().map(|refund| refund.refund_id).collect();
        let events = events::of_payment(&orders.db, payment.payment_id, &refund_ids).await?;
        Ok(Self { payment: payment.into(), charges, refunds, provider_events, events })
    }
}

fn no_such_payment() -> ApiError {
    ApiError::not_found("payment-not-found", "결제를 찾을 수 없습니다.", "There is no such payment.")
}
