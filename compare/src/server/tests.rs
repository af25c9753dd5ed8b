use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Child;

use super::*;

static NOT_STOPPED: AtomicBool = AtomicBool::new(false);

/// A shell script that announces its address.
fn script(text: &str) -> Launch {
    let arguments = ["-c", text].map(OsString::from).into();
    Launch::Announces { program: "/bin/sh".into(), arguments, variables: "SHOUTD_".into() }
}

/// A shell script that listens on `{port}`.
fn command(text: &str) -> Launch {
    Launch::Command { words: ["sh", "-c", text].map(String::from).into() }
}

/// A Python program that listens on `{port}`.
fn python_command(text: &str) -> Launch {
    Launch::Command { words: ["python3", "-c", text].map(String::from).into() }
}

/// Starts a server on these cores, unless `stop` is set.
fn try_start(launch: &Launch, cpus: &[usize], stop: &AtomicBool) -> io::Result<Server> {
    let candidate = Candidate { launch: launch.clone(), ..Candidate::default() };
    Server::start(&candidate, cpus, stop, &Lines::default())
}

fn start(launch: &Launch) -> Server {
    try_start(launch, &[], &NOT_STOPPED).unwrap()
}

fn start_error(launch: &Launch) -> String {
    try_start(launch, &[], &NOT_STOPPED).unwrap_err().to_string()
}

/// An echo server in Python, after `prelude`.
fn python(prelude: &str) -> String {
    format!(
        "import os, signal, socket, sys, time
{prelude}
listener = socket.create_server(('127.0.0.1', {{port}}))
while True:
    client, _ = listener.accept()
    while data := client.recv(4096):
        client.sendall(data)
"
    )
}

/// A file that only this test writes.
fn file(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("anyloop-compare-{}-{name}", std::process::id()))
}

/// The process numbers in a file, which is then removed.
fn written_in(file: &std::path::Path) -> Vec<u32> {
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::remove_file(file).unwrap();
    text.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

/// A server that starts two further processes, one of which leaves its session. Their numbers are written to the file.
fn tree(processes: &std::path::Path) -> String {
    let file = processes.display();
    format!(
        "sleep 1000 & echo $! >{file}; setsid sleep 1000 & echo $! >>{file}; \
         echo 'listening on 127.0.0.1:1'; wait"
    )
}

fn runs(process: u32) -> bool {
    std::fs::exists(format!("/proc/{process}")).unwrap()
}

fn kill(process: u32) {
    let process = rustix::process::Pid::from_raw(process.try_into().unwrap()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
}

/// The first process of a server without orphaned processes.
fn first_of(server: &Server) -> u32 {
    if !cfg!(target_os = "linux") {
        return server.root();
    }
    let children = format!("/proc/{0}/task/{0}/children", server.root());
    let children = std::fs::read_to_string(children).unwrap();
    children.trim().parse().unwrap_or_else(|_| panic!("one child: {children:?}"))
}

fn failure(server: &mut Server) -> String {
    let begin = Instant::now();
    loop {
        match server.failure(Duration::ZERO) {
            Some(failure) => return failure,
            None if begin.elapsed() > START_TIMEOUT => panic!("it still runs"),
            None => std::thread::sleep(POLL_INTERVAL),
        }
    }
}

#[test]
fn the_address_is_found_after_other_lines() {
    let mut server = start(&script("echo hello; echo 'listening on 127.0.0.1:4711'; exec sleep 60"));
    assert_eq!(server.address(), "127.0.0.1:4711".parse().unwrap());
    assert_eq!(server.failure(Duration::ZERO), None);
}

#[test]
fn a_command_is_ready_when_it_accepts() {
    let candidate = Candidate::server("python", &format!("python3 -c \"{}\"", python("time.sleep(0.1)")));
    let mut server = start(&candidate.unwrap().launch);
    let mut client = TcpStream::connect(server.address()).unwrap();
    client.write_all(b"hello").unwrap();
    let mut reply = [0; 5];
    client.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"hello");
    assert_eq!(server.failure(Duration::ZERO), None);
}

#[test]
fn the_error_quotes_the_last_line_of_a_server_that_ends() {
    let error = start_error(&script("echo 'no such flag' >&2; exit 2"));
    assert_eq!(error, "the server ended (exit status: 2): no such flag");
    let begin = Instant::now();
    let error = start_error(&command("echo 'can not: {port}'; exit 3"));
    assert!(error.starts_with("the server ended (exit status: 3): can not: "), "{error}");
    assert!(begin.elapsed() < START_TIMEOUT / 2, "its end was noticed at once");
}

#[test]
fn a_later_end_of_a_server_is_noticed() {
    let mut server = start(&script("echo bad >&2; echo 'listening on 127.0.0.1:1'; exec sleep 60"));
    kill(first_of(&server));
    assert_eq!(failure(&mut server), "the server ended (signal: 9 (SIGKILL)): bad");
}

#[test]
fn a_panic_is_quoted_and_not_the_lines_after_it() {
    let panic = "thread main panicked at src/main.rs:2:5:\\nno luck\\nnote: run with a backtrace\\n";
    let error = start_error(&command(&format!("printf '{panic}' >&2; echo bye >&2; exit 101 # {{port}}")));
    assert_eq!(
        error,
        "the server ended (exit status: 101): thread main panicked at src/main.rs:2:5: no luck"
    );
}

#[test]
fn a_stop_ends_the_wait() {
    let stop = AtomicBool::new(true);
    for launch in [script("exec sleep 60"), command("exec sleep 60 # {port}")] {
        let error = try_start(&launch, &[], &stop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted);
    }
}

#[test]
fn a_program_that_does_not_exist_is_an_error() {
    for launch in [
        Launch::Announces {
            program: "/nonexistent/program".into(),
            arguments: Vec::new(),
            variables: String::new(),
        },
        Launch::Command { words: vec!["/nonexistent/program".into(), "{port}".into()] },
    ] {
        let error = try_start(&launch, &[], &NOT_STOPPED).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("/nonexistent/program"), "{error}");
    }
}

#[test]
fn variables_of_this_command_are_removed() {
    // PATH is a variable that must remain.
    let text = "env | grep -c -e '^ANYLOOP_' -e '^SHOUTD_' >&2; env | grep -c '^PATH=' >&2; exit 1";
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "server::tests::helper_that_starts_a_server", "--nocapture"]);
    command.env(SCRIPT, text).env("ANYLOOP_BACKEND", "smol").env("SHOUTD_SERVE_BACKEND", "smol");
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("the server ended (exit status: 1): 1"), "{text}");
}

#[cfg(target_os = "linux")]
mod ends {
    use load::process::Account;

    use super::*;

    #[test]
    fn dropping_a_server_ends_all_of_its_processes() {
        let processes = file("tree");
        let server = start(&script(&tree(&processes)));
        let first = first_of(&server);
        let processes = written_in(&processes);
        assert_eq!(processes.len(), 2);
        assert!(processes.iter().all(|process| runs(*process)));
        drop(server);
        assert!(!runs(first) && !processes.iter().any(|process| runs(*process)), "{processes:?}");
    }

    #[test]
    fn a_server_gets_sigterm_first() {
        let farewell = file("farewell");
        let text = format!(
            "trap 'echo bye >{}; exit' TERM; echo 'listening on 127.0.0.1:1'; while :; do sleep 0.01; done",
            farewell.display()
        );
        drop(start(&script(&text)));
        assert_eq!(std::fs::read_to_string(&farewell).unwrap(), "bye\n");
        std::fs::remove_file(farewell).unwrap();
    }

    #[test]
    fn a_server_that_ignores_sigterm_is_killed() {
        let prelude = "signal.signal(signal.SIGTERM, signal.SIG_IGN)";
        let launch = python_command(&python(prelude));
        let server = start(&launch);
        let process = first_of(&server);
        let begin = Instant::now();
        drop(server);
        assert!(!runs(process));
        assert!(begin.elapsed() < START_TIMEOUT, "{:?}", begin.elapsed());
    }

    #[test]
    fn a_server_that_goes_into_the_background_is_an_error() {
        let daemon = "
if os.fork(): sys.exit(0)
os.setsid()
if os.fork(): sys.exit(0)
time.sleep(1)";
        let launch = python_command(&python(daemon));
        let error = start_error(&launch);
        assert!(error.contains("went into the background") && error.contains("foreground"), "{error}");
    }

    #[test]
    fn orphaned_processes_are_included_in_cpu_time_and_memory() {
        // The process that answers is orphaned and in a separate session. For each message it computes for 0.1 s, and
        // keeps 8 MB.
        let text = "
import os, socket, time
if os.fork():
    os.wait()
    time.sleep(1000)
os.setsid()
if os.fork(): os._exit(0)
listener = socket.create_server(('127.0.0.1', {port}))
kept = []
while True:
    client, _ = listener.accept()
    while data := client.recv(4096):
        end = time.process_time() + 0.1
        while time.process_time() < end: pass
        kept.append(bytearray(b'x' * 8_000_000))
        client.sendall(data)
";
        let server = start(&python_command(text));
        let account = Account::open(server.root()).unwrap();
        let before = server.memory().unwrap();
        let mut client = TcpStream::connect(server.address()).unwrap();
        client.write_all(b"hello").unwrap();
        client.read_exact(&mut [0; 5]).unwrap();
        let usage = account.usage(|| 1).unwrap();
        assert!(usage.user_seconds + usage.system_seconds > 0.09, "{usage:?}");
        let more = server.memory().unwrap() - before;
        assert!(more > 7_000_000, "{before} and {more}");
        assert!(before < 100_000_000, "the supervisor's memory is not included: {before}");
    }

    #[test]
    fn the_error_names_another_port_on_which_a_server_listens() {
        let port = port::free().unwrap();
        let text = python("").replace("{port}", &port.to_string());
        let mut command = Command::new("python3");
        command.args(["-c", &text]);
        let server = Server::spawn(command, &[], |_| ()).unwrap();
        while !port::accepts((Ipv4Addr::LOCALHOST, port).into()) {
            std::thread::sleep(RETRY_INTERVAL);
        }
        let text = server.other_address();
        assert!(text.starts_with(&format!("; it listens on 127.0.0.1:{port} instead")), "{text}");
    }

    #[test]
    fn a_port_that_another_program_takes_is_replaced() {
        let (first, go_on) = (file("first-port"), file("go-on"));
        // The first attempt writes its port to a file, and continues when another program has taken it.
        let prelude = format!(
            "
if not os.path.exists('{first}'):
    open('{first}.new', 'w').write('{{port}}')
    os.rename('{first}.new', '{first}')
    while not os.path.exists('{go_on}'): time.sleep(0.001)",
            first = first.display(),
            go_on = go_on.display()
        );
        let launch = python_command(&python(&prelude));
        let starting = std::thread::spawn(move || start(&launch));
        while !first.exists() {
            std::thread::sleep(RETRY_INTERVAL);
        }
        let port = std::fs::read_to_string(&first).unwrap().parse().unwrap();
        let other = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        std::fs::write(&go_on, "").unwrap();
        // The program that accepts there now is not the server.
        let mut server = starting.join().unwrap();
        assert_ne!(server.address().port(), port);
        assert_eq!(server.failure(Duration::ZERO), None);
        drop(other);
        [first, go_on].iter().for_each(|file| std::fs::remove_file(file).unwrap());
    }

    #[test]
    fn a_server_is_pinned_before_it_starts() {
        let allowed = rustix::thread::sched_getaffinity(None).unwrap();
        let cpu = (0..rustix::thread::CpuSet::MAX_CPU).rfind(|cpu| allowed.is_set(*cpu)).unwrap();
        let launch = script("grep Cpus_allowed_list /proc/self/status >&2; exit 1");
        let error = try_start(&launch, &[cpu], &NOT_STOPPED).unwrap_err().to_string();
        let list = error.rsplit(|character: char| !character.is_ascii_digit() && character != '-').next();
        assert_eq!(list, Some(cpu.to_string().as_str()), "{error}");
    }

    #[test]
    fn no_process_outlives_a_comparison_that_is_killed() {
        let processes = file("killed");
        let (mut helper, supervisor) = helper(&tree(&processes));
        let processes = written_in(&processes);
        helper.kill().unwrap();
        helper.wait().unwrap();
        // The supervisor ends when no process of its server is left. It is not a child of this process.
        let begin = Instant::now();
        while runs(supervisor) && begin.elapsed() < START_TIMEOUT {
            std::thread::sleep(POLL_INTERVAL);
        }
        assert!(!processes.iter().any(|process| runs(*process)), "{processes:?}");
    }

    #[test]
    fn a_server_ends_with_its_supervisor() {
        let mut server = start(&script("echo 'listening on 127.0.0.1:1'; exec sleep 60"));
        kill(server.root());
        assert_eq!(failure(&mut server), "the server ended (signal: 9 (SIGKILL))");
    }
}

/// The variable that passes the script to the helper below.
const SCRIPT: &str = "TEST_SCRIPT";

/// Not a test by itself: a process that other tests start and kill.
#[test]
fn helper_that_starts_a_server() {
    if let Ok(text) = std::env::var(SCRIPT) {
        match try_start(&script(&text), &[], &NOT_STOPPED) {
            Ok(server) => {
                println!("\nsupervisor {}", server.root());
                std::thread::sleep(Duration::from_secs(60));
            }
            Err(error) => println!("{error}"),
        }
    }
}

/// Starts a helper process that runs a script as a server. Returns it and the process number of its supervisor.
fn helper(text: &str) -> (Child, u32) {
    let mut helper = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "server::tests::helper_that_starts_a_server", "--nocapture"])
        .env(SCRIPT, text)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(helper.stdout.take().unwrap()).lines().map(Result::unwrap);
    // Its output is shown if the test fails.
    let mut lines = lines.inspect(|line| eprintln!("helper: {line}"));
    let supervisor = lines.find_map(|line| line.strip_prefix("supervisor ")?.parse().ok()).unwrap();
    (helper, supervisor)
}
