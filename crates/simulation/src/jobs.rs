//! What the system does by itself: its jobs, each made once, and the books held against each other.

use orders::reconcile::{Round, Scope};

use crate::process::Services;

/// A job of the services, made once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    ExpireBookings,
    GiveBackSeats,
    CancelGrounded,
    ResumeCalls,
    AskAboutPayments,
    RefundUnbooked,
    PayRefunds,
    TidyInbox,
    RelayNews,
}

impl Job {
    /// All of them.
    const ALL: [Self; 9] = [
        Self::ExpireBookings,
        Self::GiveBackSeats,
        Self::CancelGrounded,
        Self::ResumeCalls,
        Self::AskAboutPayments,
        Self::RefundUnbooked,
        Self::PayRefunds,
        Self::TidyInbox,
        Self::RelayNews,
    ];

    /// Makes it, and tells in words whether there was anything to do.
    pub(crate) async fn make(self, services: Services) -> Result<String, String> {
        match self.make_once(&services).await {
            Ok(true) => Ok("something was done".to_owned()),
            Ok(false) => Ok("there was nothing to do".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Makes it with one thing: what a job does side by side would meet in an order of its own.
    async fn make_once(self, services: &Services) -> sqlx::Result<bool> {
        let Services { orders, relay, .. } = services;
        match self {
            Self::ExpireBookings => orders.expire_bookings_once(1).await,
            Self::GiveBackSeats => orders.sweep_seats_once(1).await,
            Self::CancelGrounded => orders.ground_once(1).await,
            Self::ResumeCalls => orders.resume_calls_once(1).await,
            Self::AskAboutPayments => orders.ask_about_payments_once(1).await,
            Self::RefundUnbooked => orders.refund_unbooked_once(1).await,
            Self::PayRefunds => orders.drive_refunds_once(1).await,
            Self::TidyInbox => orders.tidy_inbox_once(1).await,
            Self::RelayNews => relay.relay_once(1).await,
        }
    }
}

/// Makes every job until there is nothing to do.
pub(crate) async fn make_all(services: Services) -> Result<(), String> {
    loop {
        let mut worked = false;
        for job in Job::ALL {
            worked |= job.make_once(&services).await.map_err(|error| error.to_string())?;
        }
        if !worked {
            return Ok(());
        }
    }
}

/// What the books may say while messages are on their way and jobs are still to run.
pub(crate) const MEANWHILE: &[&str] = &[
    "receipt-differs",
    "receipt-unheard",
    "paid-unbooked",
    "refund-late",
    "refund-needs-operator",
    "call-open",
    "message-unapplied",
];

/// What they may say when all jobs have run: that nobody has told of something.
pub(crate) const AT_REST: &[&str] = &["receipt-differs", "receipt-unheard"];

/// Holds the books against each other, and sets right what can be. That anything but `may_be` is found is a failure.
pub(crate) async fn reconcile(services: Services, may_be: &[&str]) -> Result<String, String> {
    let mut round = Round::new(Scope { heals: true, is_thorough: true, schedule_id: None });
    while services.orders.reconcile_next(&mut round, &|_| {}).await.map_err(|error| error.to_string())? {}
    let report = round.report();
    match report.findings.iter().find(|finding| !may_be.contains(&finding.check)) {
        None => Ok(format!("{} findings", report.findings.len())),
        Some(finding) => Err(format!("{finding:?}")),
    }
}
