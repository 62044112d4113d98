//! The gateway as a process: it says what is wrong with its settings before it listens.

use std::process::{Command, Output};

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gateway"))
        .args(arguments)
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn bad_settings_are_all_named_and_nothing_starts() {
    let bad = [
        ("BOOKING_SERVICE_URL", "booking:5003"),
        ("PAYMENT_SERVICE_URL", "https://payment"),
        ("GATEWAY_SERVICE_PORT", "tcp://10.0.0.1:5000"),
    ];
    let output = run(&[], &bad);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(64), "{said}");
    for (name, _) in bad {
        assert!(said.contains(name), "{name} in {said}");
    }
}

#[test]
fn help_names_every_setting() {
    let help = String::from_utf8(run(&["--help"], &[]).stdout).unwrap();
    for name in ["GATEWAY_SERVICE_PORT", "AUTH_SERVICE_URL", "ADMIN_SERVICE_URL", "UPSTREAM_TIMEOUT_SECONDS"] {
        assert!(help.contains(name), "{name} in {help}");
    }
}
