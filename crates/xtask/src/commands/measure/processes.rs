//! Two processes of a service on this machine, which can be restarted by turns.

use anyhow::Result;

use crate::services::Service;
use crate::system::{Address, Launcher, Replica};
use crate::visit::{DELAY, Pair};

/// The two.
pub(super) struct Processes<'a, 'b> {
    launcher: &'a Launcher<'b>,
    replicas: [Replica; 2],
}

impl<'a, 'b> Processes<'a, 'b> {
    /// Starts two of `service`.
    pub(super) async fn start(service: &'static Service, launcher: &'a Launcher<'b>) -> Result<Self> {
        let replica =
            |number, address| Replica::of(service, number, address).told("SHUTDOWN_DELAY_SECONDS", DELAY.to_string());
        let mut pair = Self { launcher, replicas: [replica(1, Address::any()?), replica(2, Address::any()?)] };
        for which in [0, 1] {
            pair.restart(which).await?;
        }
        Ok(pair)
    }

    /// Stops both.
    pub(super) async fn stop(mut self) -> Result<()> {
        for replica in &mut self.replicas {
            replica.stop().await?;
        }
        Ok(())
    }
}

impl Pair for Processes<'_, '_> {
    fn addresses(&self) -> [Address; 2] {
        [self.replicas[0].address, self.replicas[1].address]
    }

    async fn restart(&mut self, which: usize) -> Result<()> {
        self.replicas[which].stop().await?;
        self.replicas[which].start(self.launcher).await.map(drop)
    }
}
