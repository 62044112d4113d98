//! The auth service: see the library beside it.

fn main() -> std::process::ExitCode {
    common::service::run::<auth_service::Auth>()
}
