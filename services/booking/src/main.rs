//! The booking service's process.

fn main() -> std::process::ExitCode {
    common::service::run::<booking_service::Booking>()
}
