use std::panic::{AssertUnwindSafe, catch_unwind};

use common::{Blocking, Client, ErrorReply, Outbox, Protocol, Service};
use load::plan::Expect;
use serving::{BlockingHandlers, Capabilities, Report, Stop, Workers};

use super::*;
use crate::arguments::{Arguments, Task};
use crate::program::Program;
use crate::service;

struct Own(&'static str);

impl Backend for Own {
    fn name(&self) -> &'static str {
        self.0
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("one of its own", Workers::Chosen, BlockingHandlers::OnWorker)
    }

    fn serve(&self, _: serving::Listener, _: Arc<Service>, _: &Stop) -> std::io::Result<Report> {
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
    Served::new(name, "a handler of its own", What::Handler, || Arc::new(handlers::Echo))
}

fn application(name: &'static str) -> Served {
    Served::new(name, "a protocol of its own", What::Application, || Arc::new(OwnProtocol))
}

/// The built-in catalogue with an added backend, handler, protocol and framing.
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
    let matches = catalogue.command(&Program::new()).try_get_matches_from(arguments);
    let parsed = matches.and_then(|matches| Arguments::from_arg_matches(&matches));
    parsed.map(|arguments| arguments.task).map_err(|error| error.to_string())
}

fn served(catalogue: &Catalogue, flags: &str) -> Result<&'static str, String> {
    let Task::Serve(arguments) = task(catalogue, &format!("serve {flags}"))? else { unreachable!() };
    let checked = catalogue.check_flags(&arguments.handler, &arguments.flags);
    let served = checked.and_then(|()| service::service(&arguments, 1024));
    served.map(|_| arguments.handler.name).map_err(|failure| failure.to_string())
}

#[test]
fn added_values_extend_the_built_in_ones() {
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
fn a_protocol_can_be_compared_if_it_has_a_load_framing() {
    let mut catalogue = catalogue();
    assert!(!catalogue.last_own().can_be_loaded());
    catalogue.last_own().load.framing = Some(generator::Framing::Resp);
    assert!(catalogue.last_own().can_be_loaded());
    // The only added handler is the default of `load` if something is known about it.
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

/// The panic message of a function.
fn panic_of(run: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("a panic");
    let literal = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    literal.unwrap_or_else(|| panic.downcast_ref::<String>().expect("a text").clone())
}

#[test]
fn hooks_apply_to_what_was_added_last() {
    use crate::Command;
    type Say = fn(Command) -> Command;
    for (say, expected) in [
        (
            (|command| command.replies(Expect::Echo)) as Say,
            "after a method that adds a handler or an application",
        ),
        (|command| command.messages(|_, _, _| ()), "after a method that adds a handler or an application"),
        (|command| command.expecting(|_, _| true), "after a method that adds a handler or an application"),
        (
            |command| command.load_framing(generator::Framing::Http),
            "after a method that adds a handler or an application",
        ),
        (
            |command| {
                let command = command.handler("own", "one's own", || Arc::new(handlers::Echo));
                command.load_framing(generator::Framing::Http)
            },
            "`own` is a handler, whose framing --framing selects",
        ),
    ] {
        let said = panic_of(|| drop(say(Command::new())));
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_protocol_has_no_framing() {
    let error = served(&catalogue(), "--handler own-protocol --framing line").unwrap_err();
    assert_eq!(error, "own-protocol is a protocol without a framing; leave out --framing");
}

#[test]
fn the_only_added_handler_is_the_default() {
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
fn a_name_is_a_word_that_is_not_taken() {
    static TAKEN: [Own; 2] = [Own("smol"), Own("a name")];
    type Add = fn(&mut Catalogue);
    for (add, expected) in [
        ((|all| all.add_backend(&TAKEN[0])) as Add, "there is a backend `smol` already"),
        (|all| all.add_backend(&TAKEN[1]), "`a name` is not a valid name for a backend"),
        (|all| all.add_served(handler("echo")), "there is a handler `echo` already"),
        (|all| all.add_served(application("")), "`` is not a valid name for a handler"),
        (|all| all.add_served(application("--work")), "`--work` is not a valid name"),
        (|all| all.add_framing(Framing::of("line", "", Line::new)), "there is a framing `line` already"),
        (|all| all.add_framing(Framing::of("a,b", "", Line::new)), "`a,b` is not a valid name for a framing"),
    ] {
        let said = panic_of(|| add(&mut Catalogue::built_in()));
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn the_expected_replies_of_counter_depend_on_its_language() {
    let expected = |flags: &str| match task(&Catalogue::built_in(), &format!("compare --handler {flags}")) {
        Ok(Task::Compare(arguments)) => arguments.handler.load(&arguments.flags).unwrap().expect,
        other => panic!("{other:?}"),
    };
    assert_eq!(expected("counter --language en"), Expect::CounterEnglish);
    assert_eq!(expected("counter --language zh"), Expect::Counter);
    assert_eq!(expected("ack"), Expect::Ack);
}

/// The defaults of `serve`, `compare` and `load`.
fn defaults(catalogue: &Catalogue) -> [Option<&'static str>; 3] {
    ["serve", "compare", "load 127.0.0.1:1"].map(|line| match task(catalogue, line).unwrap() {
        Task::Serve(arguments) => Some(arguments.handler.name),
        Task::Compare(arguments) => Some(arguments.handler.name),
        Task::Load(arguments) => arguments.handler.map(|handler| handler.name),
        _ => unreachable!(),
    })
}

#[test]
fn a_product_has_only_its_own_handlers() {
    let mut catalogue = Catalogue::built_in();
    catalogue.remove_built_in();
    catalogue.add_served(application("first"));
    catalogue.add_served(handler("echo"));
    catalogue.last_own().load.expect = Expect::Echo;
    assert_eq!(defaults(&catalogue), [Some("first"), Some("echo"), None]);
    catalogue.set_default("echo");
    assert_eq!(defaults(&catalogue), [Some("echo"); 3]);
    for (command, name) in [
        ("serve --handler counter", "[possible values: first, echo]"),
        ("serve --framing x", "[possible values: line, length, raw]"),
        ("serve --work cpu:1us", "unexpected argument '--work'"),
        ("compare --work cpu:1us", "unexpected argument '--work'"),
        ("load 127.0.0.1:1 --expect x", "[possible values: echo, any, greeted]"),
        ("serve --help", "# serve the handler `echo` on smol"),
    ] {
        let error = task(&catalogue, command).expect_err(command);
        assert!(error.contains(name), "{command}: {error}");
    }
    catalogue.command(&Program::new()).debug_assert();
}

#[test]
fn the_default_must_exist() {
    let mut catalogue = Catalogue::built_in();
    catalogue.add_served(handler("a"));
    catalogue.set_default("echo");
    catalogue.check();
    assert_eq!(defaults(&catalogue), [Some("echo"); 3]);
    catalogue.set_default("b");
    assert!(panic_of(move || catalogue.check()).contains("there is no handler `b` to be the default"));
    let mut empty = Catalogue::built_in();
    empty.remove_built_in();
    assert!(panic_of(move || empty.check()).contains("there is no handler; add one"));
}

#[test]
fn the_built_in_framings_are_those_of_the_library() {
    let names: Vec<_> = common::Framing::ALL.iter().map(|framing| framing.name()).collect();
    assert_eq!(Framing::built_in().map(|framing| framing.name).as_slice(), names);
}

#[test]
fn the_load_generator_has_its_own_implementation_of_lines() {
    let names = Framing::built_in().map(|framing| framing.for_load());
    assert!(
        matches!(names[0], generator::Framing::Line) && matches!(names[1], generator::Framing::Codec { .. })
    );
}
