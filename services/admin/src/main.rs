//! The admin service's process.

fn main() -> std::process::ExitCode {
    common::service::run::<admin_service::Administration>()
}
