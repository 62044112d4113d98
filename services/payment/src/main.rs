//! The payment service's process.

fn main() -> std::process::ExitCode {
    common::service::run::<payment_service::Payment>()
}
