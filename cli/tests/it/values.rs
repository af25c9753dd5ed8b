//! Values that a flag doesn't take: each is one sentence that names the flag, or the variable that has set it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::process::{Ended, anyloop, run};

/// An invalid value, and the part of the error that describes it.
const WRONG: [&str; 9] = ["0", "-1", "-1s", "ten", "2.5", "", "18446744073709551616", "1TiB", "64K"];

/// The commands with an argument that ends them before they have begun, and the flags that take `0` for a value.
const COMMANDS: [(&str, &[&str], &[&str]); 2] = [
    (
        "serve",
        &["--expose", "--listen", "203.0.113.1:0"],
        &["--idle-timeout", "--min-rate", "--drain-timeout", "--drain-delay", "--stats"],
    ),
    ("client", &["127.0.0.1:1"], &["--reply-timeout"]),
];

/// The flags of a command that take a quantity, each with its variable.
fn quantities(command: &str) -> Vec<(String, String)> {
    let help = run(&mut anyloop(&[command, "--help"]), "").stdout;
    let mut quantities = Vec::new();
    let mut flag = None;
    for line in help.lines().map(str::trim) {
        if let Some((name, value)) = flag_and_value(line) {
            let is_quantity = ["<COUNT>", "<SIZE>", "<TIME>", "<LOAD>"].contains(&value);
            flag = is_quantity.then(|| format!("--{name}"));
        } else if let Some(variable) = line.strip_prefix("[env: ").and_then(|line| line.strip_suffix("=]")) {
            quantities.extend(flag.take().map(|flag| (flag, variable.to_owned())));
        }
    }
    quantities
}

/// The flag that a line of the help is about, without hyphens, and its value.
pub(crate) fn flag_and_value(line: &str) -> Option<(&str, &str)> {
    let short = line.strip_prefix('-').and_then(|rest| rest.split_once(", ")).map(|(_, long)| long);
    short.unwrap_or(line).strip_prefix("--")?.split_once(' ')
}

/// Checks that it was wrong usage, in one line that begins like this.
#[track_caller]
fn check(ended: &Ended, begin: &str) {
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
    assert!(ended.stderr.starts_with(&format!("error: {begin}: `")), "{begin}: {ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    assert!(ended.stderr.contains("; write ") || ended.stderr.contains("is not one of: "), "{ended:?}");
}

#[test]
fn errors_in_quantities_name_the_fault_and_the_source() {
    for (command, arguments, taken) in COMMANDS {
        let flags = quantities(command);
        assert!(!flags.is_empty() && taken.iter().all(|name| flags.iter().any(|(flag, _)| flag == name)));
        for (flag, variable) in &flags {
            for value in WRONG {
                let mut all = vec![command];
                all.extend(arguments);
                let by_variable = run(anyloop(&all).env(variable, value), "");
                all.extend([flag, value]);
                let by_flag = run(&mut anyloop(&all), "");
                if value == "0" && taken.contains(&flag.as_str()) {
                    assert!(by_flag.stderr.contains(arguments[arguments.len() - 1]), "{flag} {by_flag:?}");
                    assert_eq!((by_flag.code, by_flag.stderr), (by_variable.code, by_variable.stderr));
                } else {
                    check(&by_flag, flag);
                    check(&by_variable, variable);
                    let said = by_flag.stderr.replacen(flag, variable, 1);
                    assert_eq!(said, by_variable.stderr, "the rest is the same");
                    assert!(said.contains(&format!("`{value}`")), "{said}");
                }
            }
        }
    }
}

#[test]
fn errors_name_a_flag_that_overrides_its_variable() {
    for flag in [&["--workers", "ten"][..], &["--workers=ten"]] {
        let mut command = anyloop(&["serve"]);
        check(&run(command.args(flag).env("ANYLOOP_SERVE_WORKERS", "two"), ""), "--workers");
    }
}

#[test]
fn errors_in_choices_and_addresses_name_the_source() {
    for (flag, variable, value) in [
        ("--backend", "ANYLOOP_SERVE_BACKEND", "tornado"),
        ("--overload", "ANYLOOP_SERVE_OVERLOAD", ""),
        ("--log-level", "ANYLOOP_SERVE_LOG_LEVEL", "loud"),
        ("--listen", "ANYLOOP_SERVE_LISTEN", "8888"),
        ("--listen", "ANYLOOP_SERVE_LISTEN", ""),
        ("--admin", "ANYLOOP_SERVE_ADMIN", "9100"),
    ] {
        check(&run(&mut anyloop(&["serve", flag, value]), ""), flag);
        check(&run(anyloop(&["serve"]).env(variable, value), ""), variable);
    }
    let ended = run(anyloop(&["serve"]).env("ANYLOOP_SERVE_BACKEND", "tokyo"), "");
    assert!(ended.stderr.contains("did you mean `tokio`?"), "{ended:?}");
    let no_text = OsStr::from_bytes(b"\xff");
    for (command, name) in [
        (anyloop(&["serve"]).env("ANYLOOP_SERVE_BACKEND", no_text), "ANYLOOP_SERVE_BACKEND"),
        (anyloop(&["serve", "--backend"]).arg(no_text), "--backend"),
        (anyloop(&["serve"]).arg(OsStr::from_bytes(b"--workers=\xff")), "--workers"),
    ] {
        let ended = run(command, "");
        let expected = format!("error: {name}: the value is not UTF-8; write it in UTF-8\n");
        assert_eq!((ended.code, ended.stderr), (Some(2), expected));
    }
    let ended = run(anyloop(&["serve"]).env("ANYLOOP_SERVE_RECEIPT", ""), "");
    assert_eq!(ended.stderr, "error: ANYLOOP_SERVE_RECEIPT: no value was given; write FILE\n");
    let ended = run(&mut anyloop(&["serve", "--workers"]), "");
    assert_eq!(ended.stderr, "error: --workers: no value was given; write COUNT\n");
}

#[test]
fn conflicts_name_the_source() {
    for (arguments, variables, expected) in [
        (
            &["--backend", "threads"][..],
            &[("ANYLOOP_SERVE_WORKERS", "2")][..],
            "; leave out the number of workers (ANYLOOP_SERVE_WORKERS), and",
        ),
        (
            &[],
            &[("ANYLOOP_SERVE_MAX_CONNECTIONS", "18446744073709551615")],
            "error: ANYLOOP_SERVE_MAX_CONNECTIONS 1844",
        ),
        (
            &["--expose"],
            &[("ANYLOOP_SERVE_LISTEN", "203.0.113.1:0")],
            "choose another with ANYLOOP_SERVE_LISTEN\n",
        ),
        (
            &["--expose", "--listen", "203.0.113.1:0"],
            &[("ANYLOOP_SERVE_LISTEN", "127.0.0.1:0")],
            "with --listen\n",
        ),
    ] {
        let mut command = anyloop(&["serve"]);
        let ended = run(command.args(arguments).envs(variables.iter().copied()), "");
        assert!(ended.stderr.contains(expected), "{expected}: {ended:?}");
    }
}

#[test]
fn an_unused_variable_is_warned_of() {
    let warning = "the variable ANYLOOP_SERVE_BAKEND sets no flag; did you mean ANYLOOP_SERVE_BACKEND?";
    for arguments in [&["client", "127.0.0.1:1"][..], &["serve", "--workers", "x"], &["handlers"]] {
        let ended = run(anyloop(arguments).env("ANYLOOP_SERVE_BAKEND", "tokio"), "");
        assert!(ended.stderr.starts_with(&format!("warning: {warning}\n")), "{arguments:?}: {ended:?}");
    }
    // The log has it in its own form.
    let serve = ["serve", "--expose", "--listen", "203.0.113.1:0", "--log-format", "json"];
    let ended = run(anyloop(&serve).env("ANYLOOP_SERVE_BAKEND", "tokio"), "");
    let event: serde_json::Value = serde_json::from_str(ended.stderr.lines().next().unwrap()).unwrap();
    assert_eq!((event["level"].as_str(), event["message"].as_str()), (Some("WARN"), Some(warning)));
    let internal = ["ANYLOOP_BENCH_COUNTED", "ANYLOOP_CONFORMANCE_SEED", "ANYLOOP_COMPILER"];
    let ended = run(anyloop(&["handlers"]).envs(internal.map(|name| (name, "1"))), "");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}
