//! `serve --config` and `serve --check`.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use tempfile::{TempDir, tempdir};

use crate::process::{Ended, anyloop, run};
use crate::server::{Server, backends};

/// A folder with a file `server.toml`, in which the command is run.
struct Folder(TempDir);

impl Folder {
    fn new(text: &str) -> Self {
        let folder = Self(tempdir().unwrap());
        folder.write("server.toml", text);
        folder
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// `serve` with this file and these flags, parted by spaces.
    fn command(&self, flags: &str) -> Command {
        let mut command = anyloop(&["serve", "--config", "server.toml"]);
        command.current_dir(self.path()).args(flags.split_whitespace());
        command
    }

    /// A server with this file.
    fn serve(&self) -> Server {
        Server::start(&format!("--config {}", self.path().join("server.toml").display()))
    }

    fn run(&self, flags: &str) -> Ended {
        run(&mut self.command(flags), "")
    }
}

/// The line of a setting in the output of `--show-config`.
#[track_caller]
fn line<'a>(ended: &'a Ended, name: &str) -> &'a str {
    let line = ended.stdout.lines().find(|line| line.starts_with(&format!("{name} = ")));
    line.unwrap_or_else(|| panic!("{name}: {ended:?}"))
}

/// Checks that it was wrong usage, in this line.
#[track_caller]
fn check(ended: &Ended, expected: &str) {
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
    assert!(ended.stderr.starts_with(&format!("error: {expected}")), "{expected}: {}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
}

#[test]
fn a_flag_overrides_a_variable_which_overrides_the_file() {
    let folder = Folder::new(
        "# comments are allowed\nbackend = 'epoll'\n\nmax-message = 1024\nmailbox = '2KiB'\nidle-timeout = '7s'\n\
         listen = '127.0.0.1:7'\n",
    );
    let mut command = folder.command("--show-config --listen 127.0.0.1:9");
    command.env("ANYLOOP_SERVE_MAX_MESSAGE", "2048").env("ANYLOOP_SERVE_LISTEN", "127.0.0.1:8");
    let ended = run(&mut command, "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for (name, expected) in [
        ("backend", "\"epoll\" # server.toml:2"),
        ("max-message", "2048 # ANYLOOP_SERVE_MAX_MESSAGE"),
        ("mailbox", "2048 # server.toml:5"),
        ("idle-timeout", "\"7s\" # server.toml:6"),
        ("listen", "\"127.0.0.1:9\" # --listen"),
        ("write-timeout", "\"10s\""),
    ] {
        assert_eq!(line(&ended, name), format!("{name} = {expected}"));
    }
}

#[test]
fn a_variable_names_the_file_and_a_flag_another() {
    let folder = Folder::new("backend = 'epoll'\n");
    folder.write("other.toml", "backend = 'tokio'\n");
    let shown = |flags: &str| {
        let mut command = anyloop(&["serve", "--show-config"]);
        command.current_dir(folder.path()).env("ANYLOOP_SERVE_CONFIG", "server.toml");
        run(command.args(flags.split_whitespace()), "")
    };
    assert_eq!(line(&shown(""), "backend"), "backend = \"epoll\" # server.toml:1");
    assert_eq!(line(&shown("--config=other.toml"), "backend"), "backend = \"tokio\" # other.toml:1");
    assert_eq!(run(anyloop(&["backends"]).env("ANYLOOP_SERVE_CONFIG", "nowhere.toml"), "").code, Some(0));
}

#[test]
fn a_flag_that_excludes_a_key_overrides_it() {
    let folder = Folder::new("log-level = 'off'\n");
    assert_eq!(folder.run("--check -v").code, Some(0));
    let folder = Folder::new("log-level = 'off'\nverbose = true\n");
    let ended = folder.run("--check");
    check(&ended, "");
    assert!(ended.stderr.contains("log-level (server.toml:1)"), "{ended:?}");
    assert!(ended.stderr.contains("verbose (server.toml:2)"), "{ended:?}");
    assert!(ended.stderr.ends_with(" can't be used together; leave out one of them\n"), "{ended:?}");
}

#[test]
fn a_server_is_served_from_a_file() {
    let folder = Folder::new("handler = 'counter'\nlanguage = 'en'\nverbose = false\n");
    let server = folder.serve();
    let mut client = server.connect();
    client.say("x\n");
    assert_eq!(client.hear(), "Connected!");
    drop(client);
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_hangup_stops_no_server_with_a_file() {
    let folder = Folder::new("handler = \"echo\"\n");
    let mut server = folder.serve();
    let mut client = server.connect();
    server.process.signal(Signal::HUP);
    server.process.wait_for_log("there are no certificates to reload");
    client.say("hello\n");
    assert_eq!(client.hear(), "hello");
    drop(client);
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn each_fault_of_a_file_is_one_line_with_its_place() {
    for (text, expected) in [
        (
            "idle-timout = '1s'",
            "server.toml:1: `idle-timout` is no flag of serve; did you mean `idle-timeout`?",
        ),
        ("a = 1\n", "server.toml:1: `a` is no flag of serve; the help of serve lists the flags"),
        (
            "\nmax_connections = 9",
            "server.toml:2: `max_connections` is no flag of serve; did you mean `max-connections`?",
        ),
        ("idle-timeout = 5", "server.toml:1: idle-timeout: `5` has no unit; write 5s, 5ms or 5m"),
        ("backend = 'tokyo'", "server.toml:1: backend: `tokyo` is not one of: sequential, threads, "),
        ("workers = 0", "server.toml:1: workers: `0` is not a number of threads; write one from 1 to 1024"),
        ("workers = -1", "server.toml:1: workers: `-1` is not a number of threads"),
        ("workers = true", "server.toml:1: workers: `true` is not a number of threads"),
        ("workers = [1, 2]", "server.toml:1: workers: it is an array of 2 values; write one value"),
        ("workers = {}", "server.toml:1: workers: it is a table; write a text or a number"),
        ("[listen]\na = 1", "server.toml:1: listen: it is a table; write a text or a number"),
        (
            "[limits]\na = 1",
            "server.toml:1: there is no table `limits`; write each key alone, without a table",
        ),
        ("listen-mode = 0o660", "server.toml:1: listen-mode: `0o660`: it is no octal number"),
        (
            "listen-mode = 660",
            "listen-mode (server.toml:1) 660 is for Unix sockets, and --listen 127.0.0.1:8888 is none",
        ),
        ("expose = 'true'", "server.toml:1: expose: it is a text; write true or false"),
        ("listen = '0.0.0.0:0'", "listen (server.toml:1) 0.0.0.0:0 is no loopback address"),
        ("work = 'cpu:50us'", "work (server.toml:1) belongs to --handler work, but the handler is counter"),
        ("receipt = ''", "server.toml:1: receipt: no value was given; write FILE"),
        ("receipt = '/nowhere/a'", "the receipt can't be written to /nowhere/a: No such file"),
        ("workers = 1\n\nworkers = 2", "server.toml:3: this key is already there; leave out one of the two"),
        ("workers 1", "server.toml:1: "),
        ("workers = ", "server.toml:1: "),
        ("a = 1\nlisten = 'x", "server.toml:2: "),
        ("config = 'a'", "server.toml:1: `config` concerns a single run; give --config on the command line"),
        ("check = true", "server.toml:1: `check` concerns a single run"),
        ("color = 'never'", "server.toml:1: `color` concerns a single run"),
        ("help = true", "server.toml:1: `help` concerns a single run"),
    ] {
        check(&Folder::new(text).run("--check"), expected);
        check(&Folder::new(text).run(""), expected);
    }
}

#[test]
fn a_wrong_flag_is_reported_although_a_file_has_the_key() {
    let folder = Folder::new("workers = 2\nbackend = 'epoll'\n");
    check(&folder.run("-t no"), "--workers: `no` is not a number of threads");
    check(&folder.run("--workers=no"), "--workers: `no` is not a number of threads");
    let ended = run(folder.command("").env("ANYLOOP_SERVE_WORKERS", "no"), "");
    check(&ended, "ANYLOOP_SERVE_WORKERS: `no` is not a number of threads");
    let ended = folder.run("--nonsense");
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("unexpected argument '--nonsense'"), "{ended:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_one_line() {
    let folder = Folder::new("");
    let at = |name: &str| run(anyloop(&["serve", "--config", name]).current_dir(folder.path()), "");
    check(&at("nowhere.toml"), "--config nowhere.toml can't be read: No such file");
    check(&at("."), "--config . can't be read: Is a directory");
    fs::write(folder.path().join("latin1.toml"), b"# \xe9\n").unwrap();
    check(&at("latin1.toml"), "--config latin1.toml is not UTF-8; write it in UTF-8");
    check(&at("/dev/zero"), "--config /dev/zero is longer than 1048576 bytes");
    check(&at(""), "--config: no value was given; write FILE");
    let ended = run(anyloop(&["serve"]).env("ANYLOOP_SERVE_CONFIG", "/nowhere"), "");
    check(&ended, "ANYLOOP_SERVE_CONFIG /nowhere can't be read: No such file");
    folder.write("long.toml", &format!("#{}\n", "x".repeat(1024 * 1024 - 2)));
    let fits = run(anyloop(&["serve", "--check", "--config", "long.toml"]).current_dir(folder.path()), "");
    assert_eq!(fits.code, Some(0), "{fits:?}");
}

#[test]
fn a_checked_configuration_is_valid_and_nothing_is_done() {
    let folder = Folder::new("listen = 'unix:socket'\nreceipt = 'receipt'\nlisten-mode = 660\n");
    let ended = folder.run("--check");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "server.toml is valid\n"), "{ended:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "it has created nothing");
    let ended = run(&mut anyloop(&["serve", "--check"]), "");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "the configuration is valid\n"), "{ended:?}");
    check(&run(&mut anyloop(&["serve", "--check", "--workers", "no"]), ""), "--workers: `no`");
}

#[test]
fn a_shown_configuration_is_a_file_that_shows_the_same() {
    for backend in backends() {
        let folder = Folder::new("");
        let mut first = anyloop(&["serve", "--show-config", "--backend", backend, "--handler", "work"]);
        first.args([
            "--work",
            "wait:2ms",
            "--log-format",
            "json",
            "--listen",
            "unix:a \"b\\ c",
            "--stats",
            "1s",
        ]);
        let first = run(&mut first, "");
        assert_eq!(first.code, Some(0), "{first:?}");
        folder.write("server.toml", &first.stdout);
        let second = folder.run("--show-config");
        assert_eq!(second.code, Some(0), "{backend}: {second:?} for {}", first.stdout);
        let settings = |ended: &Ended| {
            let lines = ended.stdout.lines().filter(|line| !line.starts_with('#'));
            let mut lines: Vec<_> = lines.map(|line| line.split(" # ").next().unwrap().to_owned()).collect();
            lines.sort();
            lines
        };
        assert_eq!(settings(&first), settings(&second), "{backend}");
        assert!(first.stdout.contains("\nwork = \"wait:2ms\" # --work\n"), "{}", first.stdout);
        assert!(first.stdout.contains("\n# max-reply = "), "{}", first.stdout);
    }
}
