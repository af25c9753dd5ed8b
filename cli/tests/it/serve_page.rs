//! The page about `serve` matches the command.

use crate::process::{anyloop, run};
use crate::values::flag_and_value;

const PAGE: &str = include_str!("../../../docs/serve.md");

/// The flags of `serve --help` that have a default, with it.
fn defaults() -> Vec<(String, String)> {
    let help = run(&mut anyloop(&["serve", "--help"]), "").stdout;
    let mut defaults = Vec::new();
    let mut flag = String::new();
    for line in help.lines().map(str::trim) {
        if let Some((name, _)) = flag_and_value(line) {
            flag = format!("--{name}");
        } else if let Some(default) = line.strip_prefix("[default: ").and_then(|line| line.strip_suffix(']'))
        {
            defaults.push((flag.clone(), default.to_owned()));
        }
    }
    defaults
}

#[test]
fn its_defaults_match_the_command() {
    let defaults = defaults();
    assert!(defaults.len() >= 8, "{defaults:?}");
    let is_limit = |flag: &str| !flag.starts_with("--log-") && flag != "--color";
    for (flag, default) in defaults.iter().filter(|(flag, _)| is_limit(flag)) {
        let says = |row: &&str| row.contains(&format!("`{flag}`")) && row.contains(&format!("`{default}`"));
        let row = PAGE.lines().filter(|line| line.starts_with('|')).find(says);
        assert!(row.is_some(), "{flag} defaults to {default}, and no row of the page says so");
    }
}

#[test]
fn its_text_about_the_client_matches_the_command() {
    let help = run(&mut anyloop(&["client", "--help"]), "").stdout;
    assert!(help.contains("[default: 10s]") && PAGE.contains("`--reply-timeout` (10s)"), "{help}");
}

#[test]
fn its_memory_limits_match_the_code() {
    for (name, bytes, said) in [
        ("a read", common::MAX_READ, "16 KiB (one read)"),
        ("a turn", common::TURN_REPLIES, "64 KiB (a turn's replies)"),
    ] {
        assert!(PAGE.contains(said) && said.starts_with(&format!("{} KiB", bytes / 1024)), "{name}");
    }
}
