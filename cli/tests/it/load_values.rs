//! Values that a flag of `load` or `compare` doesn't take: each is one sentence that names the flag, or its variable.

use crate::process::{Ended, anyloop, run};
use crate::values::flag_and_value;

/// An invalid value, and the part of the error that describes it.
const WRONG: [&str; 8] = ["0", "-1", "ten", "10k", "", "18446744073709551616", "1TiB", "64K"];

/// A flag that takes a quantity, and those of the values above that it takes.
type Flag = (&'static str, &'static [&'static str]);

const LOAD: [Flag; 17] = [
    ("--connections", &["10k"]),
    ("--depth", &["10k"]),
    ("--rate", &["10k"]),
    ("--duration", &[]),
    ("--warmup", &["0"]),
    ("--reply-timeout", &[]),
    ("--message-size", &[]),
    ("--connect-rate", &["10k"]),
    ("--messages-per-connection", &["10k"]),
    ("--subscribe", &["0", "10k"]),
    ("--idle", &["0", "10k"]),
    ("--slow-readers", &["0", "10k"]),
    ("--slow-writers", &["0", "10k"]),
    ("--slo", &[]),
    ("--threads", &[]),
    ("--seed", &["0"]),
    ("--server-pid", &[]),
];

const COMPARE: [Flag; 11] = [
    ("--work", &[]),
    ("--sweep-connections", &["10k"]),
    ("--subscribe", &["10k"]),
    ("--connections", &["10k"]),
    ("--depth", &["10k"]),
    ("--rate", &["10k"]),
    ("--message-size", &[]),
    ("--rounds", &[]),
    ("--slo", &[]),
    ("--threads", &[]),
    ("--seed", &["0"]),
];

/// The variable of a flag; one that is about this run alone has none.
fn variable(command: &str, flag: &str) -> Option<String> {
    let name = flag.trim_start_matches('-').replace('-', "_").to_uppercase();
    match (command, name.as_str()) {
        ("load", "SERVER_PID") => None,
        _ => Some(format!("ANYLOOP_{}_{name}", command.to_uppercase())),
    }
}

/// Checks that it was wrong usage, in one line that begins with the place and quotes the value.
#[track_caller]
fn check(ended: &Ended, place: &str, value: &str) {
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{place} {value}: {ended:?}");
    assert!(ended.stderr.starts_with(&format!("error: {place}: ")), "{place} {value}: {ended:?}");
    assert!(ended.stderr.contains(&format!("`{value}`")), "{place} {value}: {ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
}

#[test]
fn errors_in_quantities_name_the_fault_and_the_source() {
    // What ends each command before it has begun, and how that is said.
    let load = ("load", &["127.0.0.1:1"][..], &LOAD[..], "can't connect to 127.0.0.1:1");
    let compare =
        ("compare", &["--baseline", "/nowhere.json"][..], &COMPARE[..], "/nowhere.json can't be read");
    for (command, arguments, flags, ends) in [load, compare] {
        for (flag, taken) in flags {
            for value in WRONG {
                let all = [&[command], arguments].concat();
                let by_flag = run(&mut anyloop(&[&all[..], &[flag, value]].concat()), "");
                let variable = variable(command, flag);
                let by_variable = variable.as_ref().map(|name| run(anyloop(&all).env(name, value), ""));
                if taken.contains(&value) {
                    assert!(by_flag.stderr.contains(ends), "{flag} {value}: {by_flag:?}");
                    assert!(by_variable.is_none_or(|ended| ended.stderr.contains(ends)), "{flag} {value}");
                    continue;
                }
                check(&by_flag, flag, value);
                if let (Some(variable), Some(ended)) = (variable, by_variable) {
                    check(&ended, &variable, value);
                    assert_eq!(by_flag.stderr.replacen(flag, &variable, 1), ended.stderr);
                }
            }
        }
    }
}

#[test]
fn the_tables_cover_all_quantities_of_the_help() {
    for (command, flags) in [("load", &LOAD[..]), ("compare", &COMPARE[..])] {
        let help = run(&mut anyloop(&[command, "--help"]), "").stdout;
        let named = help.lines().map(str::trim).filter_map(flag_and_value);
        let is_quantity = |value: &str| {
            let value = value.trim_matches(['<', '>']).trim_end_matches(",…").trim_end_matches("|auto");
            ["COUNT", "LOAD", "NUMBER", "PID", "RATE", "SIZE", "SIZES", "SLO", "TIME"].contains(&value)
        };
        let quantities: Vec<_> =
            named.filter(|(_, value)| is_quantity(value)).map(|(name, _)| name).collect();
        let tested: Vec<_> = flags.iter().map(|(flag, _)| flag.trim_start_matches('-')).collect();
        let mut sorted = [quantities, tested];
        sorted.iter_mut().for_each(|names| names.sort_unstable());
        assert_eq!(sorted[0], sorted[1], "{command}");
    }
}

#[test]
fn the_bounds_of_a_quantity_are_within_it() {
    for (command, flag, within, beyond) in [
        ("load", "--connections", "1", "1000001"),
        ("load", "--depth", "1000000", "1000001"),
        ("load", "--threads", "1", "1025"),
        ("load", "--rate", "1000M", "1001M"),
        ("load", "--subscribe", "0", "1000001"),
        ("load", "--message-size", "fixed:2", "fixed:1"),
        ("load", "--message-size", "fixed:1048576", "fixed:1048577"),
        ("load", "--messages-per-connection", "18446744073709551615", "18446744073709551616"),
        ("load", "--seed", "18446744073709551615", "18446744073709551616"),
        ("compare", "--rounds", "500", "501"),
        ("compare", "--sweep-connections", "1,64,1M", "1,64,1000001"),
        ("compare", "--connections", "1", "1000001"),
        ("compare", "--threads", "1024", "1025"),
    ] {
        let first = if command == "load" {
            &["load", "127.0.0.1:1"][..]
        } else {
            &["compare", "--baseline", "/nowhere.json"]
        };
        let ended = |value| run(&mut anyloop(&[first, &[flag, value]].concat()), "");
        let (within, beyond) = (ended(within), ended(beyond));
        assert!(!within.stderr.starts_with(&format!("error: {flag}: ")), "{within:?}");
        assert!(
            beyond.code == Some(2) && beyond.stderr.starts_with(&format!("error: {flag}: `")),
            "{beyond:?}"
        );
    }
}

#[test]
fn a_wrong_value_behind_a_short_name_is_the_flag_s() {
    for (flags, flag) in [
        ("load 127.0.0.1:1 -r abc", "--rate"),
        ("load 127.0.0.1:1 -rabc", "--rate"),
        ("compare -qc abc", "--connections"),
    ] {
        let ended = run(&mut anyloop(&flags.split(' ').collect::<Vec<_>>()), "");
        assert_eq!(ended.code, Some(2), "{flags}: {ended:?}");
        assert!(ended.stderr.starts_with(&format!("error: {flag}: `abc`")), "{flags}: {ended:?}");
    }
}
