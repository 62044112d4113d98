//! The flight service's process.

fn main() -> std::process::ExitCode {
    common::service::run::<flight_service::Flight>()
}
