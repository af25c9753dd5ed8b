//! Each exit code of `load`, by a real run. Those of `compare` are in `compare_ends`.

use assert_cmd::Command;

use crate::process::{BOUND, anyloop};
use crate::server::{Server, lines};

/// Runs `load` briefly, and returns its exit code.
#[track_caller]
fn code(address: &str, flags: &str) -> i32 {
    let short = ["load", address, "-c", "2", "-d", "300ms", "--warmup", "0"];
    let flags: Vec<_> = flags.split_whitespace().collect();
    let ended = Command::from_std(anyloop(&[&short[..], &flags].concat())).timeout(BOUND).ok();
    let output = match &ended {
        Ok(output) => output,
        Err(error) => error.as_output().unwrap(),
    };
    output.status.code().unwrap_or_else(|| panic!("{output:?}"))
}

/// A rate at which one message is due in the time of a run, at its beginning. Its reply counts whenever it comes, where of
/// many messages a busy machine may have some come too late: a rate that is not achieved misses every objective.
const ONE: &str = "--rate 3";

#[test]
fn each_code_of_load_has_its_cause() {
    let server = Server::start("--handler echo");
    let echo = server.address.to_string();
    let wrong = lines(|count, line| if count == 5 { "wrong\n".into() } else { format!("{line}\n") });
    let refuses = lines(|_, _| "ERR rate-limited\n".into());
    for (address, flags, expected) in [
        (echo.as_str(), "", 0),
        (&echo, &format!("{ONE} --slo max=1h"), 0),
        ("127.0.0.1:1", "", 1),
        (&echo, "--slo p99=5ms", 2),
        (&echo, "--rate soon", 2),
        (&echo, &format!("{ONE} --slo p99.9=1h"), 3),
        (&wrong, "--expect echo", 4),
        (&refuses, "--expect any", 4),
        (&refuses, "--expect any --allow-refusals", 0),
        (&echo, &format!("{ONE} --slo max=1ns"), 5),
        (&echo, &format!("{ONE} --slo max=1h --slo max=1ns"), 5),
    ] {
        assert_eq!(code(address, flags), expected, "load {address} {flags}");
    }
}
