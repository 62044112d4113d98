//! SECRET_KEY changes under load, service by service, and nobody is signed out. Half of the customers keep their first
//! session for ever; the others log in again for every trip, wherever the old key or the new one signs just then.

use anyhow::Result;

use super::customers::{Crowd, Customer};
use super::protocol::Protocol;
use super::site::Site;
use crate::random;

/// Who reads the key.
const READERS: [&str; 4] = ["auth", "booking", "admin", "payment"];

const KEY: &str = "SECRET_KEY";
const ACCEPTED: &str = "SECRET_KEYS_ACCEPTED";

pub(super) async fn rehearse(site: &mut Site<'_>, crowd: &mut Crowd, protocol: &mut Protocol) -> Result<()> {
    protocol.begin("SECRET_KEY is rotated under load");
    let (old, new) = (site.launcher.environment[KEY].clone(), random::hex(32)?);
    let mut of_before = Customer::arrive(&site.doors, site.provider, 0).await?;
    let roll_twice = async {
        let steps = [
            ("1. accept the new key too, service by service", &old, &new),
            ("2. sign with the new one, accept the old one", &new, &old),
        ];
        for (step, signing, accepted) in steps {
            site.launcher.environment.insert(KEY.to_owned(), signing.clone());
            site.launcher.environment.insert(ACCEPTED.to_owned(), accepted.clone());
            protocol.step(step, async { Ok(((), restarts(site.roll(&READERS).await?))) }).await?;
        }
        Ok(())
    };
    let ((), seen) = crowd.during(Box::pin(roll_twice)).await?;
    protocol.fact("no request was lost, and no session refused", seen.lost == 0, seen.told());

    let mut of_between = Customer::arrive(&site.doors, site.provider, 0).await?;
    let honoured = !of_before.is_refused().await && !of_between.is_refused().await;
    protocol.fact("sessions of both keys are honoured", honoured, "one of before, one of between");
    site.launcher.environment.remove(ACCEPTED);
    protocol.step("3. after a day, drop the old key", async { Ok(((), restarts(site.roll(&READERS).await?))) }).await?;
    site.until_ready().await?;
    let refused = of_before.is_refused().await;
    protocol.fact("sessions of the old key are refused (401)", refused, "as of somebody who signed in before");
    let honoured = of_between.id().await.is_ok();
    protocol.fact("sessions of the new key are honoured", honoured, "as of somebody who signed in between");
    crowd.log_in().await
}

fn restarts(count: usize) -> String {
    format!("{count} restarts")
}
