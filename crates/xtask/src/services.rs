//! The programs that make up a running CloudJet, and the ports they stand on.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::settings::Settings;

/// A service, as it is built and reached.
pub(crate) struct Service {
    /// What people call it.
    pub(crate) name: &'static str,
    /// Its package and its binary.
    pub(crate) package: &'static str,
    /// The setting of its port.
    pub(crate) port_setting: &'static str,
    /// Its port where nothing is set.
    pub(crate) default_port: u16,
}

/// All services. The gateway comes last: it is of use when the others are ready.
pub(crate) const SERVICES: [Service; 6] = [
    Service { name: "auth", package: "auth-service", port_setting: "AUTH_SERVICE_PORT", default_port: 5001 },
    Service { name: "flight", package: "flight-service", port_setting: "FLIGHT_SERVICE_PORT", default_port: 5002 },
    Service { name: "booking", package: "booking-service", port_setting: "BOOKING_SERVICE_PORT", default_port: 5003 },
    Service { name: "admin", package: "admin-service", port_setting: "ADMIN_SERVICE_PORT", default_port: 5004 },
    Service { name: "payment", package: "payment-service", port_setting: "PAYMENT_SERVICE_PORT", default_port: 5005 },
    Service { name: "gateway", package: "gateway", port_setting: "GATEWAY_SERVICE_PORT", default_port: 5000 },
];

impl Service {
    /// Whether `path` is one of its own addresses, rather than a short one that leads to it.
    pub(crate) fn owns(&self, path: &str) -> bool {
        let first = path.strip_prefix("/api/").and_then(|rest| rest.split('/').next()).unwrap_or_default();
        // Some are named for one thing and answer for many.
        first.strip_suffix('s').unwrap_or(first) == self.name
    }

    /// The file with its description, by its path in the checkout.
    pub(crate) fn description(&self) -> PathBuf {
        PathBuf::from(format!("services/{}/openapi.json", self.name))
    }
}

/// The services that describe an API of their own.
pub(crate) fn described() -> impl Iterator<Item = &'static Service> {
    SERVICES.iter().filter(|service| is_described(service))
}

/// Whether `service` describes an API of its own.
pub(crate) fn is_described(service: &Service) -> bool {
    service.name != "gateway"
}

/// The setting of the payment simulator's port.
pub(crate) const SIMULATOR_PORT_SETTING: &str = "BOOTPAY_SIMULATOR_PORT";

/// How far a service's internal port, where its probes answer, is from its public one.
const TO_INTERNAL: u16 = 1000;

/// The ports of one run.
pub(crate) struct Ports {
    /// The public ports, in the order of [`SERVICES`].
    services: [u16; SERVICES.len()],
    /// The payment simulator's, where one is wanted.
    pub(crate) simulator: Option<u16>,
}

/// One port, and whom it is for.
struct Need {
    port: u16,
    user: String,
    setting: &'static str,
}

impl Ports {
    /// Reads the ports from the settings.
    pub(crate) fn from_settings(settings: &Settings) -> Result<Self> {
        let mut services = [0; SERVICES.len()];
        for (port, service) in services.iter_mut().zip(&SERVICES) {
            *port = settings.port(service.port_setting, service.default_port)?;
            if port.checked_add(TO_INTERNAL).is_none() {
                bail!("{} must leave room for the internal port, which is {TO_INTERNAL} higher", service.port_setting);
            }
        }
        let simulator = match settings.get("BOOTPAY_API_URL") {
            Some(_) => None,
            None => Some(settings.port(SIMULATOR_PORT_SETTING, 5010)?),
        };
        Ok(Self { services, simulator })
    }

    /// Ports that nobody uses, for a system beside another one.
    pub(crate) fn any() -> Result<Self> {
        let mut services = [0; SERVICES.len()];
        for n in 0..services.len() {
            services[n] = loop {
                let port = any_free()?;
                let clashes = |other: &u16| [0, TO_INTERNAL].contains(&port.abs_diff(*other));
                let has_room = port.checked_add(TO_INTERNAL).is_some_and(is_free);
                if has_room && !services[..n].iter().any(clashes) {
                    break port;
                }
            };
        }
        Ok(Self { services, simulator: Some(any_free()?) })
    }

    /// The services with their public ports.
    pub(crate) fn services(&self) -> impl Iterator<Item = (&'static Service, u16)> {
        SERVICES.iter().zip(self.services)
    }

    /// The public port of the service `name`.
    pub(crate) fn of(&self, name: &str) -> Option<u16> {
        self.services().find_map(|(service, port)| (service.name == name).then_some(port))
    }

    /// Where the service `name` is asked, on this machine.
    ///
    /// # Errors
    /// If there is no such service.
    pub(crate) fn address(&self, name: &str) -> Result<SocketAddr> {
        let port = self.of(name).with_context(|| format!("there is no {name}-service"))?;
        Ok((Ipv4Addr::LOCALHOST, port).into())
    }

    /// Where customers find the gateway and the payment simulator.
    ///
    /// # Errors
    /// If the simulator isn't ours.
    pub(crate) fn for_customers(&self) -> Result<[String; 2]> {
        let at = |port: Option<u16>| port.map(|port| format!("http://127.0.0.1:{port}")).context("a port is missing");
        Ok([at(self.of("gateway"))?, at(self.simulator)?])
    }

    /// Makes sure that nothing listens on any of them.
    pub(crate) fn check_free(&self) -> Result<()> {
        let mut needs = self.needs();
        needs.sort_by_key(|need| need.port);
        let twice = needs.windows(2).filter(|pair| pair[0].port == pair[1].port).map(|pair| {
            format!(
                "Port {} is meant for two: {} and {}. Set {} to another.",
                pair[0].port, pair[0].user, pair[1].user, pair[1].setting
            )
        });
        let busy = needs.iter().filter(|need| !is_free(need.port)).map(|need| {
            format!(
                "Port {} ({}) is in use. End the program that listens there (`lsof -i :{}` names it), or set {} to another port.",
                need.port, need.user, need.port, need.setting
            )
        });
        let faults: Vec<String> = twice.chain(busy).collect();
        if !faults.is_empty() {
            bail!("{}", faults.join("\n"));
        }
        Ok(())
    }

    fn needs(&self) -> Vec<Need> {
        let services = self.services().flat_map(|(service, port)| {
            let Service { name, port_setting: setting, .. } = *service;
            [
                Need { port, user: name.to_owned(), setting },
                Need {
                    port: internal(port),
                    user: format!("{name}, internal: {TO_INTERNAL} above its public port"),
                    setting,
                },
            ]
        });
        let simulator = self.simulator.map(|port| Need {
            port,
            user: "payment simulator".to_owned(),
            setting: SIMULATOR_PORT_SETTING,
        });
        services.chain(simulator).collect()
    }
}

/// Where the probes of the service on `port` answer.
pub(crate) fn internal(port: u16) -> u16 {
    port.saturating_add(TO_INTERNAL)
}

/// Whether a service could listen on `port` now.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}

/// A port of this machine that nobody uses.
pub(crate) fn any_free() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports<const N: usize>(settings: [(&str, &str); N]) -> Result<Ports> {
        Ports::from_settings(&Settings::from(settings))
    }

    #[test]
    fn the_usual_ports() {
        let needs = ports([]).unwrap().needs();
        let mut numbers: Vec<u16> = needs.iter().map(|need| need.port).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [5000, 5001, 5002, 5003, 5004, 5005, 5010, 6000, 6001, 6002, 6003, 6004, 6005]);
    }

    #[test]
    fn settings_move_them() {
        let ports = ports([("BOOKING_SERVICE_PORT", "7003"), ("BOOTPAY_API_URL", "https://api.example/v2")]).unwrap();
        assert_eq!(ports.of("booking"), Some(7003));
        assert_eq!(ports.simulator, None);
        assert!(ports.needs().iter().any(|need| need.port == 8003));
    }

    #[test]
    fn one_message_names_every_fault() {
        let taken = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = taken.local_addr().unwrap().port().to_string();
        let faults =
            ports([("AUTH_SERVICE_PORT", "5099"), ("FLIGHT_SERVICE_PORT", "5099"), (SIMULATOR_PORT_SETTING, &port)]);
        let faults = faults.unwrap().check_free().unwrap_err().to_string();
        assert!(
            faults.contains("Port 5099 is meant for two: auth and flight. Set FLIGHT_SERVICE_PORT to another."),
            "{faults}"
        );
        assert!(faults.contains(&format!("Port {port} (payment simulator) is in use.")), "{faults}");
    }

    #[test]
    fn any_ports_are_free_ones() {
        Ports::any().unwrap().check_free().unwrap();
    }

    #[test]
    fn a_short_address_is_nobodys_own() {
        let flight = &SERVICES[1];
        assert!(flight.owns("/api/flights/search") && flight.owns("/api/flights"));
        assert!(!flight.owns("/api/airports") && !flight.owns("/api/auth/login"));
    }

    #[test]
    fn a_port_needs_room_above_it() {
        assert!(ports([("AUTH_SERVICE_PORT", "65000")]).is_err());
    }
}
