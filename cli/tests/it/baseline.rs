//! `anyloop baseline`: the servers that were written by hand, as `compare` starts them.

use std::net::TcpStream;

use rustix::process::Signal;

use crate::process::{Process, anyloop};
use crate::server::Client;

#[test]
fn what_is_written_by_hand_serves_until_a_signal_ends_it() {
    for baseline in handwritten::SERVERS.iter().filter(|baseline| baseline.is_supported()) {
        let mut process = Process::start(&mut anyloop(&["baseline", baseline.name, "--workers", "2"]));
        let line = process.line();
        let address = line.trim_end().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}"));
        let mut client = Client::new(TcpStream::connect(address).unwrap());
        client.say("hello\n");
        assert_eq!(client.hear(), "hello", "{}", baseline.name);
        process.signal(Signal::TERM);
        let ended = process.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (None, ""), "{}", baseline.name);
    }
}
