//! Hashing takes turns. Each hash takes a core and a good piece of memory, on purpose; as many run at once as the
//! settings allow, off the threads that serve requests, and whoever would wait too long is told to come back.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::PasswordError;

/// Where turns are taken; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Hashing {
    turns: Arc<Semaphore>,
    patience: Duration,
}

/// The right to hash once. Given up when dropped.
pub(crate) struct Turn(OwnedSemaphorePermit);

impl Hashing {
    /// `at_once` turns at a time; nobody waits for one longer than `patience`.
    pub(crate) fn new(at_once: u16, patience: Duration) -> Self {
        Self { turns: Arc::new(Semaphore::new(at_once.into())), patience }
    }

    /// Waits for a turn.
    pub(crate) async fn turn(&self) -> Result<Turn, PasswordError> {
        let turn = tokio::time::timeout(self.patience, Arc::clone(&self.turns).acquire_owned()).await;
        turn.ok().and_then(Result::ok).map(Turn).ok_or(PasswordError::Overloaded)
    }
}

impl Turn {
    /// Does the work of this turn. The turn ends with the work, also when nobody waits for it any more.
    pub(crate) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        tokio::task::spawn_blocking(move || {
            let _turn = self.0;
            work()
        })
        .await
        .map_err(PasswordError::BrokeOff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_would_wait_too_long_is_sent_away_and_a_turn_ends_with_its_work() {
        let hashing = Hashing::new(1, Duration::from_millis(20));
        let turn = hashing.turn().await.unwrap();
        assert!(matches!(hashing.turn().await, Err(PasswordError::Overloaded)));

        let (finish, finished) = std::sync::mpsc::channel::<()>();
        let work = tokio::spawn(turn.run(move || finished.recv()));
        tokio::time::sleep(Duration::from_millis(5)).await;
        work.abort();
        assert!(matches!(hashing.turn().await, Err(PasswordError::Overloaded)), "the work goes on");
        finish.send(()).unwrap();
        // Its thread needs a moment, which is longer than anybody waits here where the machine is busy.
        let given_back = async { while hashing.turn().await.is_err() {} };
        tokio::time::timeout(Duration::from_mins(1), given_back).await.expect("the work is done");
    }

    #[tokio::test]
    async fn work_that_panics_gives_its_turn_back() {
        let hashing = Hashing::new(1, Duration::from_mins(1));
        let broke = hashing.turn().await.unwrap().run(|| panic!("on purpose")).await;
        assert!(matches!(broke, Err(PasswordError::BrokeOff(_))));
        assert!(hashing.turn().await.is_ok());
    }
}
