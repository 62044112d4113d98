//! The service under test, and the people who call it.

use std::time::Duration;

use admin_service::{App, router};
use common::http::Envelope;
use orders::{Orders, Terms};
use sqlx::mysql::MySqlConnectOptions;
use testkit::{Client, World, seed};

/// An admin service, its world, and a client that isn't signed in.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) world: World,
    pub(crate) client: Client,
}

impl Service {
    /// Without a payment provider.
    pub(crate) fn start(database: MySqlConnectOptions) -> Self {
        Self::with(World::with_connections(database, 32), None)
    }

    /// With the payment provider at hand.
    pub(crate) fn with(world: World, provider: Option<bootpay::Client>) -> Self {
        let orders = Orders {
            db: world.db.clone(),
            cache: world.cache.clone(),
            clock: world.clock.clone(),
            chance: world.chance.clone(),
            provider,
            terms: Terms::default(),
        };
        let app = App::new(orders, world.tokens.clone());
        // The envelope is part of every answer's shape.
        let envelope = Envelope { service: "admin-service", timeout: Duration::from_mins(1), trusted_proxy_hops: 0 };
        let client = Client::anonymous(common::http::wrap(router(app), envelope));
        Self { world, client }
    }

    /// A new administrator, signed in.
    pub(crate) async fn admin(&self) -> Client {
        self.signed_in(seed::admin(&self.world.db).await)
    }

    /// A client of the account `user_id` with a session that begins now.
    pub(crate) fn signed_in(&self, user_id: i64) -> Client {
        self.client.signed_in(&self.world.token(user_id))
    }
}
