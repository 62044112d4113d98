//! The payment simulator, as its customers and its console use it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::json;

use crate::visit::{self, Request};

/// Where it is.
#[derive(Clone)]
pub(super) struct Provider(SocketAddr);

/// A receipt there.
#[derive(Deserialize)]
pub(super) struct Receipt {
    #[serde(rename = "receipt_id")]
    id: String,
    status: i32,
    pub(super) price: i64,
    cancelled_price: i64,
}

impl Receipt {
    /// Whether there is money on it.
    pub(super) fn has_money(&self) -> bool {
        const PAID: i32 = 1;
        self.status == PAID && self.cancelled_price < self.price
    }
}

impl Provider {
    pub(super) fn at(port: u16) -> Self {
        Self((Ipv4Addr::LOCALHOST, port).into())
    }

    /// Pays for an order as `script` says, and tells the receipt.
    pub(super) async fn pay(&self, order: &str, price: i64, script: &str) -> Result<String> {
        let payment = json!({ "order_id": order, "price": price, "script": script });
        let paid = visit::ask(self.0, &Request::post("/simulator/payments", &payment)).await?;
        Ok(paid["receipt_id"].as_str().context("a payment without a receipt")?.to_owned())
    }

    /// Every receipt, by its id.
    pub(super) async fn receipts(&self) -> Result<BTreeMap<String, Receipt>> {
        let receipts: Vec<Receipt> =
            serde_json::from_value(visit::ask(self.0, &Request::get("/simulator/receipts")).await?)?;
        Ok(receipts.into_iter().map(|receipt| (receipt.id.clone(), receipt)).collect())
    }

    /// Has the webhook of a receipt sent again, as its console can.
    pub(super) async fn tell_again(&self, receipt: &str) -> Result<()> {
        let path = format!("/simulator/receipts/{receipt}/webhook");
        visit::ask(self.0, &Request::post(path, &json!({ "webhook": "unsigned" }))).await.map(drop)
    }
}
