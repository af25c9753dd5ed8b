//! The solutions of the exercises of steps 7 to 12, and what the kit finds in the loops of step 7.
#![cfg(target_os = "linux")]

mod edges;
mod later;
mod ring;
mod servers;
mod tasks;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Output};
use std::time::Duration;

/// A client, whose reads fail if nothing comes for long.
fn connect(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).expect("a connection");
    client.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    client
}

fn say(mut client: &TcpStream, text: &str) {
    client.write_all(text.as_bytes()).expect("the server reads");
}

#[track_caller]
fn expect(mut client: &TcpStream, text: &str) {
    let mut heard = vec![0; text.len()];
    client.read_exact(&mut heard).expect("a reply");
    assert_eq!(String::from_utf8_lossy(&heard), text);
}

/// The command `learn`, without flags from the environment.
fn learn(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_learn"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ANYLOOP_")) {
        command.env_remove(name);
    }
    command.args(arguments).output().expect("it runs")
}

/// Puts a server that echoes lines under a load, in which every reply is verified.
#[track_caller]
fn verify(address: SocketAddr, flags: &[&str]) {
    let address = address.to_string();
    let load = ["load", &address, "--handler", "echo", "--warmup", "0s", "--duration", "300ms"];
    let output = learn(&[&load, flags].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
