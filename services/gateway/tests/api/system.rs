//! The whole system on ports of this machine: every service behind a gateway, on a database and a cache of its own,
//! with a payment provider that calls back through the gateway; and a browser in front.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Method;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION, CONTENT_TYPE, ORIGIN};
use bootpay::simulator::{Config, Outcome, Payment, Running, Simulator};
use common::http::{Envelope, wrap};
use orders::{Orders, Terms};
use payment_service::{ApplicationId, WebhookKey};
use serde_json::{Value, json};
use sqlx::mysql::MySqlConnectOptions;
use testkit::World;

use crate::support::{Gateway, serve, url};

/// The page's own origin: another one than the API's, as in development.
const PAGE: &str = "http://localhost:5500";

/// Every service, and what they stand on.
#[derive(Debug)]
pub(crate) struct System {
    pub(crate) world: World,
    pub(crate) orders: Orders,
    pub(crate) provider: Running,
    gateway: Gateway,
}

impl System {
    pub(crate) async fn start(database: MySqlConnectOptions) -> Self {
        let world = World::new(database);
        let key = "the-provider-s-key";
        let simulator = Simulator::new(Config::new("rest-id", key.into())).unwrap().spawn().await.unwrap();
        let client = bootpay::Client::new(bootpay::Config::new(simulator.api_url(), "rest-id", key.into())).unwrap();
        let orders = Orders {
            db: world.db.clone(),
            cache: world.cache.clone(),
            clock: world.clock.clone(),
            chance: world.chance.clone(),
            provider: Some(client),
            terms: Terms::default(),
            metrics: orders::Metrics::new(&world.metrics).unwrap(),
        };
        let services = [
            ("AUTH_SERVICE_URL", auth(&world)),
            ("FLIGHT_SERVICE_URL", flight(&world)),
            ("BOOKING_SERVICE_URL", booking(&world, &orders)),
            ("ADMIN_SERVICE_URL", admin(&world, &orders)),
            ("PAYMENT_SERVICE_URL", payment(&world, &orders)),
        ];
        let mut settings = vec![("CLOUDJET_ENV".to_owned(), "development".to_owned())];
        for (name, router) in services {
            settings.push((name.to_owned(), url(serve(enveloped(router)).await)));
        }
        let settings: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let gateway = Gateway::start(&settings).await;
        simulator.set_webhook_url(Some(format!("http://{}/api/payments/webhook", gateway.address)));
        Self { world, orders, provider: simulator, gateway }
    }

    /// A browser that shows the airline's page to nobody in particular.
    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser { system: self, token: None }
    }

    /// What the payment window does once its buyer has decided; the provider's webhook is delivered when it answers.
    pub(crate) async fn decide(&self, order_id: &Value, price: i64, outcome: Outcome) {
        let order_id = order_id.as_str().expect("an order id");
        let payment = Payment { outcome, ..Payment::new(order_id, price) };
        let paid = self.provider.pay(payment).await.unwrap();
        assert!(paid.webhook.delivered, "{paid:?}");
    }
}

fn enveloped(router: Router) -> Router {
    wrap(router, Envelope { service: "service", timeout: Duration::from_secs(20), trusted_proxy_hops: 1 })
}

fn auth(world: &World) -> Router {
    let limits = auth_service::Limits { login_attempts: 30, hashing_concurrency: 2, hashing_wait_ms: 9000 };
    let World { db, cache, tokens, clock, .. } = world.clone();
    let metrics = auth_service::Metrics::new(&world.metrics).unwrap();
    auth_service::router(auth_service::App::new(db, cache, tokens, clock, &limits, metrics))
}

fn flight(world: &World) -> Router {
    let World { db, cache, clock, .. } = world.clone();
    let search_ttl = flight_service::SearchTtl(Duration::from_mins(5));
    flight_service::router(flight_service::App { db, cache, clock, search_ttl })
}

fn booking(world: &World, orders: &Orders) -> Router {
    let World { db, tokens, clock, .. } = world.clone();
    booking_service::router(booking_service::App { orders: orders.clone(), db, tokens, clock })
}

fn admin(world: &World, orders: &Orders) -> Router {
    admin_service::router(admin_service::App::new(orders.clone(), world.tokens.clone()))
}

fn payment(world: &World, orders: &Orders) -> Router {
    let World { db, tokens, .. } = world.clone();
    let application_id = ApplicationId(Some("web-key".to_owned()));
    let webhook_key = WebhookKey("the-provider-s-key".into());
    payment_service::router(payment_service::App { orders: orders.clone(), db, tokens, application_id, webhook_key })
}

/// The browser client: JSON on every call, the stored token on every call, and pages that live on another origin.
#[derive(Clone, Debug)]
pub(crate) struct Browser<'s> {
    system: &'s System,
    token: Option<String>,
}

impl Browser<'_> {
    /// Signs a new person up and logs them in, as the page does.
    pub(crate) async fn sign_in_as(&mut self, email: &str) -> Value {
        let person = json!({
            "name": "김하늘", "email": email, "password": "secret1", "phone": "010-1234-5678", "birthDate": "1990-02-03",
        });
        assert_eq!(self.post("/api/auth/signup", &person).await.expect(201)["success"], true);
        self.log_in_as(email, "secret1").await
    }

    /// Logs somebody in who has an account.
    pub(crate) async fn log_in_as(&mut self, email: &str, password: &str) -> Value {
        let session = self.post("/api/auth/login", &json!({ "email": email, "password": password })).await.expect(200);
        self.token = session["token"].as_str().map(str::to_owned);
        session["user"].clone()
    }

    /// Tries to log in, and is refused.
    pub(crate) async fn is_refused(&self, email: &str, password: &str) {
        let refused = self.post("/api/auth/login", &json!({ "email": email, "password": password })).await.expect(401);
        assert_eq!(refused["code"], "wrong-credentials", "{email}");
    }

    /// Has a session from before.
    pub(crate) fn has_token(&mut self, token: &str) {
        self.token = Some(token.to_owned());
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path, Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.call(Method::POST, path, body.to_string().into()).await
    }

    /// A POST with the JSON content type and no body at all, as the page cancels a booking.
    pub(crate) async fn post_nothing(&self, path: &str) -> Reply {
        self.call(Method::POST, path, Body::empty()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.call(Method::DELETE, path, Body::empty()).await
    }

    /// The page believes no answer that isn't JSON, and its browser none without its origin in it, once.
    async fn call(&self, method: Method, path: &str, body: Body) -> Reply {
        let mut request =
            self.system.gateway.request(method, path).header(CONTENT_TYPE, "application/json").header(ORIGIN, PAGE);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let answer = self.system.gateway.send(request.body(body).unwrap()).await;
        let origins: Vec<_> = answer.headers.get_all(ACCESS_CONTROL_ALLOW_ORIGIN).iter().collect();
        assert_eq!(origins, [PAGE], "{path}");
        assert!(answer.headers[CONTENT_TYPE].to_str().unwrap().contains("json"), "{path}");
        Reply { status: answer.status.as_u16(), body: answer.json() }
    }
}

/// What the page gets.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Reply {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }
}
