//! The payment simulator, as its customers and its console use it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::json;

use crate::client::{Request, ask};

/// Where it is.
#[derive(Clone, Copy)]
pub(crate) struct Provider(SocketAddr);

/// A receipt there.
#[derive(Deserialize)]
pub(crate) struct Receipt {
    #[serde(rename = "receipt_id")]
    id: String,
    status: i32,
    pub(crate) price: i64,
    pub(crate) cancelled_price: i64,
    purchased_at: Option<String>,
}

impl Receipt {
    /// Whether there is money on it.
    pub(crate) fn has_money(&self) -> bool {
        const PAID: i32 = 1;
        self.status == PAID && self.cancelled_price < self.price
    }

    /// Whether the money was ever taken.
    pub(crate) fn was_paid(&self) -> bool {
        self.purchased_at.is_some()
    }
}

impl Provider {
    /// The one on `port` of this machine.
    pub(crate) fn at(port: u16) -> Self {
        Self((Ipv4Addr::LOCALHOST, port).into())
    }

    /// Pays for an order as `script` says, and tells the receipt.
    pub(crate) async fn pay(self, order: &str, price: i64, script: &str) -> Result<String> {
        let payment = json!({ "order_id": order, "price": price, "script": script });
        let paid = ask(self.0, &Request::post("/simulator/payments", &payment)).await?;
        Ok(paid["receipt_id"].as_str().context("a payment without a receipt")?.to_owned())
    }

    /// Every receipt, by its id.
    pub(crate) async fn receipts(self) -> Result<BTreeMap<String, Receipt>> {
        let receipts = ask(self.0, &Request::get("/simulator/receipts")).await?;
        let receipts: Vec<Receipt> = serde_json::from_value(receipts).context("the receipts can't be read")?;
        Ok(receipts.into_iter().map(|receipt| (receipt.id.clone(), receipt)).collect())
    }

    /// Has the webhook of a receipt sent again, as its console can.
    pub(crate) async fn tell_again(self, receipt: &str) -> Result<()> {
        let path = format!("/simulator/receipts/{receipt}/webhook");
        ask(self.0, &Request::post(path, &json!({ "webhook": "unsigned" }))).await.map(drop)
    }
}
