//! The solutions of the exercises in Python: each does what its step asks for.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// The command of a program in `docs`.
fn python(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("python3");
    command.arg(format!("{}/../../docs/{program}", env!("CARGO_MANIFEST_DIR"))).args(arguments);
    command.env("PYTHONUTF8", "1").stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// A server, which is killed on drop.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts a program that says where it listens.
    fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("it starts");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let address = line.trim_end().strip_prefix("listening on ").and_then(|address| address.parse().ok());
        Self { child, address: address.unwrap_or_else(|| panic!("it said: {line}")) }
    }

    fn solution(step: u32, arguments: &[&str]) -> Self {
        Self::start(&mut python(&format!("learn/solutions/step{step:02}.py"), &[&["0"], arguments].concat()))
    }

    fn connect(&self) -> Client {
        let socket = TcpStream::connect(self.address).expect("it listens");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("it is a time");
        Client(BufReader::new(socket))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn say(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).expect("it is connected");
    }

    /// Closes its own direction.
    fn end(&self) {
        self.0.get_ref().shutdown(Shutdown::Write).expect("it is connected");
    }

    /// The next line.
    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("it answers");
        line
    }

    /// Reads the next bytes, and compares them.
    #[track_caller]
    fn expect(&mut self, expected: &str) {
        let mut heard = vec![0; expected.len()];
        self.0.read_exact(&mut heard).expect("it answers");
        assert_eq!(String::from_utf8_lossy(&heard), expected);
    }

    /// All that comes to the end of the conversation.
    fn hear_all(&mut self) -> String {
        let mut heard = String::new();
        self.0.read_to_string(&mut heard).expect("it ends without a reset");
        heard
    }
}

#[test]
fn step_1_survives_its_clients() {
    let server = Server::solution(1, &[]);
    let mut leaving = server.connect();
    leaving.expect("連接成功!");
    leaving.say(b"hello");
    leaving.expect("第1條信息:hello");
    drop(leaving);

    let mut resetting = server.connect();
    resetting.say(b"hello");
    resetting.expect("連");
    drop(resetting); // with unread input

    let mut half_closed = server.connect();
    half_closed.end();
    assert_eq!(half_closed.hear_all(), "連接成功!");

    let mut split = server.connect();
    split.expect("連接成功!");
    split.say(&"你".as_bytes()[..2]);
    thread::sleep(Duration::from_millis(100)); // so that the pieces are likely to arrive one by one
    split.say(&"你".as_bytes()[2..]);
    split.expect("第1條信息:你");
    split.say(b"exit");
    assert_eq!(split.hear_all(), "");
}

#[test]
fn step_2_speaks_with_a_length_prefix() {
    let mut anyloop = Command::new(env!("CARGO_BIN_EXE_learn"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ANYLOOP_")) {
        anyloop.env_remove(name);
    }
    anyloop.args(["serve", "--listen", "127.0.0.1:0", "--framing", "length", "--language", "en"]);
    let server = Server::start(anyloop.args(["--log-level", "error"]).stdout(Stdio::piped()));

    let mut client = python("learn/solutions/step02.py", &[&server.address.port().to_string()]);
    let mut client = client.stdin(Stdio::piped()).spawn().expect("it starts");
    let long = "x".repeat(50_000);
    let mut input = client.stdin.take().expect("it is piped");
    input.write_all(format!("one\n\n{long}\nexit\n").as_bytes()).expect("it reads");
    drop(input);
    let output = client.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said, format!("Connected!\nMessage 1: one\nMessage 2: \nMessage 3: {long}\n"));
    assert!(output.status.success());
}

#[test]
fn step_2_has_a_server_of_lines() {
    let server = Server::start(&mut python("learn/programs/lines.py", &["0"]));
    let mut client = server.connect();
    client.say("on".as_bytes());
    client.say("e\ntwo\n\n你好\nexit\nnot answered\n".as_bytes());
    let heard: Vec<_> = (0..5).map(|_| client.hear()).collect();
    assert_eq!(heard.concat(), "連接成功!\n第1條信息:one\n第2條信息:two\n第3條信息:\n第4條信息:你好\n");
}

#[test]
fn step_3_counts_who_can_wait() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    rustix::net::listen(&listener, 3).expect("it listens"); // with another length of the queue
    let port = listener.local_addr().expect("it is bound").port();
    let output = python("learn/solutions/step03.py", &[&port.to_string()]).output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "4\n");
}

/// A client that is served, one that is refused, and one that comes into the place of the first.
#[track_caller]
fn check_the_limit(step: u32) {
    let server = Server::solution(step, &["1"]);
    let mut first = server.connect();
    first.say(b"one\ntwo\n");
    assert_eq!([first.hear(), first.hear(), first.hear()], ["Hello World!\n", "1:ACK!\n", "2:ACK!\n"]);
    assert_eq!(server.connect().hear_all(), "ERR busy\n");
    first.say(b"exit\n");
    assert_eq!(first.hear_all(), "");
    let mut next = server.connect();
    assert_eq!(next.hear(), "Hello World!\n");
    next.end();
    assert_eq!(next.hear_all(), "");
}

#[test]
fn step_4_limits_its_threads() {
    check_the_limit(4);
}

#[test]
fn step_5_ends_a_slow_sender_at_its_deadline() {
    check_the_limit(5);
    let server = Server::solution(5, &["3"]);
    let mut slow = server.connect();
    slow.say(b"one\nt");
    let mut sending = slow.0.get_ref().try_clone().expect("it can be shared");
    let sender = thread::spawn(move || {
        while sending.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
    });
    let heard: Vec<_> = (0..3).map(|_| slow.hear()).collect();
    assert_eq!(heard.concat(), "Hello World!\n1:ACK!\nERR timeout message\n");
    sender.join().expect("it ends when it can't send");

    let mut long = server.connect();
    long.say(&[b'x'; 1025]);
    assert_eq!(long.hear_all(), "Hello World!\nERR too-long\n");
}

#[test]
fn step_5_ends_a_client_that_reads_nothing() {
    let server = Server::solution(5, &["1"]);
    let hog = server.connect();
    let mut sending = hog.0.get_ref();
    while sending.write_all(&b"x\n".repeat(4096)).is_ok() {} // until the server ends it
    assert_eq!(server.connect().hear(), "Hello World!\n");
}

#[test]
fn step_6_serves_many_on_one_thread() {
    let server = Server::solution(6, &[]);
    let mut hog = server.connect();
    let mut sending = hog.0.get_ref().try_clone().expect("it can be shared");
    sending.set_write_timeout(Some(Duration::from_millis(500))).expect("it is a time");
    let lines = b"x\n".repeat(4096);
    let mut taken = 0;
    while let Ok(length) = sending.write(&lines[taken % 2..]) {
        taken += length; // until nothing more is taken, since the replies are not read
        assert!(taken < 64 << 20, "it reads although replies are unsent");
    }

    let mut clients: Vec<_> = (0..50).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.say(b"one\ntw");
        assert_eq!([client.hear(), client.hear()], ["Hello World!\n", "1:ACK!\n"]);
    }
    for client in clients.iter_mut().rev() {
        client.say(b"o\nexit\n");
        assert_eq!([client.hear(), client.hear_all()], ["2:ACK!\n", ""]);
    }
    let mut long = server.connect();
    long.say(&[b'x'; 65_537]);
    assert_eq!(long.hear_all(), "Hello World!\nERR too-long\n");

    hog.end();
    let mut replies = String::new();
    hog.0.read_to_string(&mut replies).expect("all replies come");
    assert_eq!(replies.lines().last(), Some(&*format!("{}:ACK!", taken / 2)));
}
