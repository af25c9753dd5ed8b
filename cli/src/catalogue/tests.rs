use std::net::TcpListener;
use std::panic::catch_unwind;

use common::{Blocking, Client, ErrorReply, Outbox, Protocol, Service};
use serving::{BlockingHandlers, Capabilities, Report, Stop, Workers};

use super::*;
use crate::arguments::{Arguments, Task};
use crate::service;

struct Own(&'static str);

impl Backend for Own {
    fn name(&self) -> &'static str {
        self.0
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("one of its own", Workers::Chosen, BlockingHandlers::OnWorker)
    }

    fn serve(&self, _: TcpListener, _: Arc<Service>, _: &Stop) -> std::io::Result<Report> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

struct OwnProtocol;

impl Application for OwnProtocol {
    fn open(&self, _: Client, _: &Limits, _: &mut Outbox) -> Box<dyn Protocol> {
        unreachable!("nobody connects")
    }

    fn refuse(&self, _: &ErrorReply, _: &Limits, _: &mut Outbox) {}

    fn blocking(&self) -> Blocking {
        Blocking::Never
    }
}

fn handler(name: &'static str) -> Served {
    let what = What::Handler(Arc::new(|| Arc::new(handlers::Echo)));
    Served::new(name, "a handler of its own", what)
}

fn application(name: &'static str) -> Served {
    let what = What::Application(Arc::new(|| Arc::new(OwnProtocol)));
    Served::new(name, "a protocol of its own", what)
}

/// With a backend, a handler, a protocol and a framing beside the built-in ones.
fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::built_in();
    catalogue.add_backend(&Own("own-backend"));
    catalogue.add_served(handler("own-handler"));
    catalogue.add_served(application("own-protocol"));
    catalogue.add_framing(Framing::of("own-framing", "a framing of its own", Length::new));
    catalogue
}

fn task(catalogue: &Catalogue, arguments: &str) -> Result<Task, String> {
    use clap::FromArgMatches;
    let arguments = ["anyloop"].into_iter().chain(arguments.split_whitespace());
    let matches = catalogue.command("anyloop").try_get_matches_from(arguments);
    let parsed = matches.and_then(|matches| Arguments::from_arg_matches(&matches));
    parsed.map(|arguments| arguments.task).map_err(|error| error.to_string())
}

fn served(catalogue: &Catalogue, flags: &str) -> Result<&'static str, String> {
    match task(catalogue, &format!("serve {flags}"))? {
        Task::Serve(arguments) => service::service(&arguments, 1024).map(|_| arguments.handler.name),
        _ => unreachable!(),
    }
}

#[test]
fn what_is_added_stands_beside_what_is_built_in() {
    let catalogue = catalogue();
    for flags in [
        "--backend own-backend",
        "--handler own-handler",
        "--handler own-handler --framing own-framing",
        "--framing own-framing",
        "--handler own-protocol",
        "--backend smol --handler echo --framing line",
    ] {
        served(&catalogue, flags).unwrap_or_else(|error| panic!("{flags}: {error}"));
    }
    for (command, name) in [
        ("serve --backend x", "own-backend"),
        ("serve --handler x", "own-handler, own-protocol]"),
        ("serve --framing x", "length, raw, own-framing]"),
        ("client --framing x 127.0.0.1:1", "raw, own-framing]"),
        ("load --framing raw 127.0.0.1:1", "[possible values: line, length, own-framing, resp, http]"),
        ("compare --framing raw", "[possible values: line, length, own-framing, resp, http]"),
        ("compare --backends x", "own-backend"),
        ("compare --handler x", "own-handler, own-protocol]"),
        ("serve --help", "one of its own"),
        ("serve --help", "a protocol of its own"),
        ("serve --help", "a framing of its own"),
    ] {
        let error = task(&catalogue, command).expect_err(command);
        assert!(error.contains(name), "{command}: {error}");
    }
}

#[test]
fn a_protocol_is_compared_once_it_is_said_how_its_replies_are_found() {
    let mut catalogue = catalogue();
    assert!(!catalogue.last_own().can_be_loaded());
    catalogue.last_own().load.framing = Some(generator::Framing::Resp);
    assert!(catalogue.last_own().can_be_loaded());
    // The only handler of one's own of which something is known makes `load` simple.
    let mut catalogue = Catalogue::built_in();
    let handler_of = |catalogue: &Catalogue| match task(catalogue, "load 127.0.0.1:1").unwrap() {
        Task::Load(arguments) => arguments.handler.map(|handler| handler.name),
        _ => unreachable!(),
    };
    catalogue.add_served(application("a"));
    assert_eq!(handler_of(&catalogue), None);
    catalogue.last_own().load.framing = Some(generator::Framing::Resp);
    assert_eq!(handler_of(&catalogue), Some("a"));
}

#[test]
fn hooks_are_for_what_was_added() {
    use crate::Command;
    type Say = fn(Command) -> Command;
    for (say, expected) in [
        ((|command| command.replies(Expect::Echo)) as Say, "behind `handler` or `application`"),
        (|command| command.messages(|_, _, _| ()), "behind `handler` or `application`"),
        (|command| command.expecting(|_, _| true), "behind `handler` or `application`"),
        (|command| command.load_framing(generator::Framing::Http), "behind `handler` or `application`"),
        (
            |command| {
                let command = command.handler("own", "one's own", || Arc::new(handlers::Echo));
                command.load_framing(generator::Framing::Http)
            },
            "`own` is a handler: its framing is that of --framing",
        ),
    ] {
        let panic = catch_unwind(|| drop(say(Command::new()))).unwrap_err();
        let literal = panic.downcast_ref::<&str>().copied();
        let said = panic.downcast_ref::<String>().map(String::as_str).or(literal).unwrap();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_protocol_of_its_own_has_no_framing() {
    let error = served(&catalogue(), "--handler own-protocol --framing line").unwrap_err();
    assert_eq!(error, "own-protocol has a protocol of its own, and so no framing; leave out --framing");
}

#[test]
fn the_only_handler_that_is_added_is_the_default() {
    let default = |added: Vec<Served>, task_name: &str| {
        let mut catalogue = Catalogue::built_in();
        added.into_iter().for_each(|one| catalogue.add_served(one));
        match task(&catalogue, task_name).unwrap() {
            Task::Serve(arguments) => arguments.handler.name,
            Task::Compare(arguments) => arguments.handler.name,
            _ => unreachable!(),
        }
    };
    for (added, serves, compares) in [
        (vec![], "counter", "echo"),
        (vec![handler("a")], "a", "a"),
        (vec![application("a")], "a", "echo"),
        (vec![handler("a"), application("b")], "counter", "echo"),
    ] {
        assert_eq!(default(added.clone(), "serve"), serves);
        assert_eq!(default(added, "compare"), compares);
    }
}

#[test]
fn a_name_is_a_word_that_nobody_has() {
    static TAKEN: [Own; 2] = [Own("smol"), Own("a name")];
    type Add = fn(&mut Catalogue);
    for (add, expected) in [
        ((|all| all.add_backend(&TAKEN[0])) as Add, "there is a backend `smol` already"),
        (|all| all.add_backend(&TAKEN[1]), "`a name` is no name for a backend"),
        (|all| all.add_served(handler("echo")), "there is a handler `echo` already"),
        (|all| all.add_served(application("")), "`` is no name for a handler"),
        (|all| all.add_served(application("--work")), "`--work` is no name"),
        (|all| all.add_framing(Framing::of("line", "", Line::new)), "there is a framing `line` already"),
        (|all| all.add_framing(Framing::of("a,b", "", Line::new)), "`a,b` is no name for a framing"),
    ] {
        let panic = catch_unwind(|| add(&mut Catalogue::built_in())).unwrap_err();
        let said = panic.downcast_ref::<String>().unwrap();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn the_load_generator_finds_lines_by_itself() {
    let names = Framing::built_in().map(|framing| framing.for_load());
    assert!(
        matches!(names[0], generator::Framing::Line) && matches!(names[1], generator::Framing::Codec { .. })
    );
}
