//! Two processes of a service on this machine, which can be restarted by turns.

use anyhow::Result;

use super::bench::Bench;
use crate::services::Service;
use crate::system::{Address, Instance};
use crate::visit::{DELAY, Pair};

/// The two.
pub(super) struct Processes<'a, 'b> {
    bench: &'a Bench<'b>,
    service: &'static Service,
    addresses: [Address; 2],
    instances: [Option<Instance>; 2],
}

impl<'a, 'b> Processes<'a, 'b> {
    /// Starts two of `service`.
    pub(super) async fn start(service: &'static Service, bench: &'a Bench<'b>) -> Result<Self> {
        let addresses = [Address::any()?, Address::any()?];
        let mut pair = Self { bench, service, addresses, instances: [None, None] };
        for which in [0, 1] {
            pair.restart(which).await?;
        }
        Ok(pair)
    }

    /// Stops both.
    pub(super) async fn stop(self) -> Result<()> {
        for instance in self.instances.into_iter().flatten() {
            instance.stop().await?;
        }
        Ok(())
    }
}

impl Pair for Processes<'_, '_> {
    fn addresses(&self) -> [Address; 2] {
        self.addresses
    }

    async fn restart(&mut self, which: usize) -> Result<()> {
        if let Some(old) = self.instances[which].take() {
            old.stop().await?;
        }
        let new = self.bench.start_at(self.service, self.addresses[which], DELAY).await?;
        self.instances[which] = Some(new);
        Ok(())
    }
}
