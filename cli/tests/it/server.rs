//! `anyloop serve`, started for a test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;

use registry::BACKENDS;
use rustix::process::Signal;
use serde_json::Value;

use crate::process::{BOUND, Process, anyloop};

/// A server on its own port.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
}

/// How a server ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) receipt: Value,
    pub(crate) log: String,
}

impl Server {
    /// Starts it with these flags, parted by spaces.
    pub(crate) fn start(flags: &str) -> Self {
        let mut command = command(flags);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::start_as_is(&mut command)
    }

    /// Starts it with the standard error that was set.
    pub(crate) fn start_as_is(command: &mut Command) -> Self {
        let mut process = Process::start_as_is(command);
        let line = process.line();
        let address = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}"));
        let address = address.trim_end().parse().unwrap();
        Self { process, address }
    }

    pub(crate) fn connect(&self) -> Client {
        Client::new(TcpStream::connect(self.address).unwrap())
    }

    /// Tells it to drain, and waits until it has.
    pub(crate) fn stop(self) -> Ended {
        self.process.signal(Signal::TERM);
        self.ended()
    }

    /// Waits until it has ended. Its receipt has to add up.
    pub(crate) fn ended(self) -> Ended {
        let ended = self.process.end();
        let receipt = ended.stdout.lines().last().unwrap_or_default();
        let receipt: Value = serde_json::from_str(receipt).unwrap_or_else(|_| panic!("{ended:?}"));
        let outcomes = ["finished", "drained", "cut", "timed_out", "refused", "failed"];
        let sum: u64 = outcomes.iter().map(|name| receipt[name].as_u64().unwrap()).sum();
        assert_eq!(receipt["accepted"].as_u64(), Some(sum), "{receipt}");
        let reasons = receipt["reasons"].as_object().unwrap();
        assert_eq!(reasons.values().map(|count| count.as_u64().unwrap()).sum::<u64>(), sum, "{receipt}");
        Ended { code: ended.code, receipt, log: ended.stderr }
    }
}

/// A server that replies to each line of a connection, by its index from 0. It ends with the test.
pub(crate) fn lines(answer: fn(usize, String) -> String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut replies = socket.try_clone().unwrap();
                for (count, line) in BufReader::new(socket).lines().map_while(Result::ok).enumerate() {
                    if replies.write_all(answer(count, line).as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// `anyloop serve` with these flags, parted by spaces; its receipt goes to standard output.
pub(crate) fn command(flags: &str) -> Command {
    let mut arguments = vec!["serve", "--receipt", "-"];
    if !flags.contains("--listen") {
        arguments.extend(["--listen", "127.0.0.1:0"]);
    }
    arguments.extend(flags.split_whitespace());
    anyloop(&arguments)
}

/// The names of all backends.
pub(crate) fn backends() -> impl Iterator<Item = &'static str> {
    BACKENDS.iter().map(|backend| backend.name())
}

/// The names of the backends that can serve several clients at once.
pub(crate) fn concurrent_backends() -> impl Iterator<Item = &'static str> {
    let several = BACKENDS.iter().filter(|backend| backend.capabilities().max_connections != Some(1));
    several.map(|backend| backend.name())
}

/// The flags of a server that a client can get [`stuck`] with.
pub(crate) const STUCK: &str = "--handler echo --max-message 32MiB";

/// A client that is owed more than all buffers between it and the server hold, and takes only the first
/// byte of it.
pub(crate) fn stuck(server: &Server) -> Client {
    let mut client = server.connect();
    client.say(&"x".repeat(32 << 20));
    client.say("\n");
    client.0.get_mut().read_exact(&mut [0]).unwrap();
    client
}

/// A connection to a server, in lines.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    pub(crate) fn new(socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(BOUND)).unwrap();
        socket.set_write_timeout(Some(BOUND)).unwrap();
        Self(BufReader::new(socket))
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        self.0.get_ref()
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// The next reply, without its line end.
    pub(crate) fn hear(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end_matches('\n').into()
    }

    /// All replies, until the server ends the conversation.
    pub(crate) fn hear_all(&mut self) -> String {
        let mut text = String::new();
        self.0.read_to_string(&mut text).unwrap();
        text
    }

    pub(crate) fn half_close(&self) {
        self.socket().shutdown(Shutdown::Write).unwrap();
    }
}
