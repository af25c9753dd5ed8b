//! Runs the program: clients are served beside its own work, its statistics are printed, and a signal stops it gracefully.

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The test fails after this time.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The running program, which is killed on drop.
struct Program {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Program {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_embed"));
        let mut child = command.arg("127.0.0.1:0").stdout(Stdio::piped()).spawn().expect("a process");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, stdout }
    }

    /// The rest of the next line that begins with this text. The program writes a line each second.
    fn line(&mut self, begin: &str) -> String {
        let rest = |line: String| line.strip_prefix(begin).map(str::to_owned);
        let mut lines = self.stdout.by_ref().map_while(Result::ok).take(30);
        lines.find_map(rest).unwrap_or_else(|| panic!("no line begins with {begin}"))
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("an ID");
        kill_process(id, signal).expect("a running process");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a message, and receives the reply.
fn ask(client: &mut BufReader<TcpStream>, message: &str) -> String {
    client.get_mut().write_all(message.as_bytes()).expect("a connection");
    let mut reply = String::new();
    client.read_line(&mut reply).expect("a reply");
    reply.trim_end().to_owned()
}

#[test]
fn clients_are_served_beside_its_work_until_it_is_interrupted() {
    let mut program = Program::start();
    let client = TcpStream::connect(program.line("listening on ")).expect("a connection");
    client.set_read_timeout(Some(TIMEOUT)).expect("a timeout");
    let mut client = BufReader::new(client);

    let mut jobs = || ask(&mut client, "jobs\n").parse::<u64>().expect("a number");
    let begin = jobs();
    let deadline = Instant::now() + TIMEOUT;
    while jobs() == begin {
        assert!(Instant::now() < deadline, "no more jobs are done");
    }
    assert_eq!(ask(&mut client, "more\n"), "ERR unknown-command");
    // A part of a message arrives with this one.
    assert!(ask(&mut client, "jobs\njo").parse::<u64>().expect("a number") > begin);

    program.line("open=1 accepted=1 ");
    program.signal(Signal::INT);
    let mut rest = String::new();
    client.read_to_string(&mut rest).expect("a clean end");
    assert_eq!(rest, "ERR shutting-down\n");
    drop(client); // otherwise the server would linger
    let report = program.line("ended: ");
    assert!(report.starts_with("open=0 accepted=1 ") && report.contains(" drained=1 "), "{report}");
    assert!(program.child.wait().expect("an end").success());
}
