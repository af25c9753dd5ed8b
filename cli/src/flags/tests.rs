use std::ffi::OsStr;
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::sync::Arc;

use common::Handler;
use handlers::Echo;

use super::*;
use crate::arguments::Task;
use crate::catalogue::{Catalogue, Served, What};
use crate::program::Program;
use crate::quantity::count;

/// Of a key-value store.
#[derive(Args)]
struct Store {
    /// Most keys
    #[arg(long, value_name = "COUNT", default_value = "10k", value_parser = count(1, 1_000_000_usize))]
    capacity: usize,
}

/// Of a chat.
#[derive(Args)]
struct Chat {
    /// Messages to remember
    #[arg(long, default_value_t = 100, help_heading = "History")]
    history: usize,

    #[arg(long, env = "MOTD")]
    motd: Option<PathBuf>,

    #[arg(long)]
    quiet: bool,

    #[arg(long, hide_env_values = true)]
    password: Option<String>,

    #[arg(long, action = ArgAction::Count)]
    loud: u8,

    #[arg(long, num_args = 2)]
    bounds: Vec<u32>,

    #[arg(long, value_delimiter = ',')]
    rooms: Vec<String>,
}

/// Of a proxy.
#[derive(Args)]
struct Proxy {
    #[arg(long, value_name = "HOST:PORT", required = true)]
    upstream: Vec<String>,
}

fn served<A: Args + 'static>(name: &'static str) -> Served {
    let make = |_: &A| -> Result<Arc<dyn Handler>, String> { Ok(Arc::new(Echo)) };
    Served::of_flags(name, "one of its own", What::Handler, make)
}

/// The built-in catalogue with all three.
fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::built_in();
    for served in
        [served::<Store>("store"), served::<Chat>("chat"), served::<Proxy>("proxy"), served::<Proxy>("relay")]
    {
        catalogue.add_served(served);
    }
    catalogue
}

fn task(catalogue: &Catalogue, line: &[&OsStr]) -> Result<Task, String> {
    let arguments = [OsStr::new("anyloop")].into_iter().chain(line.iter().copied());
    let matches = catalogue.command(&Program::new()).try_get_matches_from(arguments);
    let parsed = matches.and_then(|matches| Arguments::from_arg_matches(&matches));
    parsed.map(|arguments| arguments.task).map_err(|error| error.to_string())
}

/// The flags of `serve` for its handler, after all checks.
fn given(catalogue: &Catalogue, line: &[&OsStr]) -> Result<(Served, Given), String> {
    let Task::Serve(arguments) = task(catalogue, line)? else { unreachable!() };
    let checked = catalogue.check_flags(&arguments.handler, &arguments.flags);
    let checked = checked.and_then(|()| arguments.handler.check_required(&arguments.flags));
    checked.map(|()| (arguments.handler, arguments.flags)).map_err(|failure| failure.to_string())
}

fn words(line: &str) -> Vec<&OsStr> {
    line.split_whitespace().map(OsStr::new).collect()
}

#[test]
fn flags_are_parsed_and_passed_to_another_process() {
    let catalogue = catalogue();
    let (_, flags) = given(&catalogue, &words("serve --handler store --capacity 1.5k")).unwrap();
    assert_eq!(flags.read::<Store>().unwrap().capacity, 1500);
    for (line, expected) in [
        ("serve --handler store", ""),
        ("serve --handler store --capacity 1.5k", "--capacity=1.5k"),
        ("serve --handler chat --motd -", "--motd=-"),
        ("serve --handler chat --loud --quiet --loud", "--quiet --loud --loud"),
        ("serve --handler chat --bounds 1 2 --bounds 3 4", "--bounds 1 2 --bounds 3 4"),
        ("serve --handler chat --rooms=a,b --rooms c", "--rooms=a,b --rooms=c"),
        ("serve --handler proxy --upstream a:1 --upstream=--b:2", "--upstream=a:1 --upstream=--b:2"),
    ] {
        let (handler, flags) = given(&catalogue, &words(line)).unwrap();
        let passed = handler.arguments(&flags, true);
        assert_eq!(passed, words(expected), "{line}");
        // They parse to the same flags.
        let again: Vec<_> = ["serve", "--handler", handler.name].into_iter().map(OsStr::new).collect();
        let again: Vec<_> = again.into_iter().chain(passed.iter().map(|word| &**word)).collect();
        let (handler, flags) = given(&catalogue, &again).unwrap();
        assert_eq!(handler.arguments(&flags, true), passed);
    }
    let (handler, flags) = given(&catalogue, &words("serve --handler chat --password x --quiet")).unwrap();
    assert_eq!(handler.arguments(&flags, false), ["--quiet"], "a secret is not shown");
    assert_eq!(handler.arguments(&flags, true), ["--quiet", "--password=x"]);
}

#[test]
fn flags_belong_to_their_handler() {
    let catalogue = catalogue();
    for (line, expected) in [
        (
            "serve --handler echo --capacity 1k",
            "--capacity belongs to --handler store, but the handler is echo; leave out --capacity, or choose --handler store",
        ),
        ("serve --handler store --work cpu:1us", "--work belongs to --handler work"),
        ("serve --handler proxy", "proxy needs --upstream HOST:PORT; add it"),
        ("serve --handler relay", "relay needs --upstream HOST:PORT; add it"),
        ("serve --handler store --capacity 0", "`0` is not a count from 1 to"),
    ] {
        let error = given(&catalogue, &words(line)).expect_err(line);
        assert!(error.contains(expected), "{line}: {error}");
    }
    assert!(given(&catalogue, &words("serve --handler relay --upstream a:1")).is_ok());
    // A single handler has flags that clap requires, but not for `compare`, which may compare other programs only.
    let mut alone = Catalogue::built_in();
    alone.remove_built_in();
    alone.add_served(served::<Proxy>("proxy"));
    let error = given(&alone, &words("serve")).unwrap_err();
    assert!(error.contains("Usage: ") && error.contains("serve --upstream <HOST:PORT>"), "{error}");
    assert!(task(&alone, &words("compare --server a={port}")).is_ok());
}

#[test]
fn the_help_has_them_under_a_heading_with_their_variables() {
    let catalogue = catalogue();
    for command in ["serve", "compare"] {
        let help = task(&catalogue, &words(&format!("{command} --help"))).unwrap_err();
        for text in
            ["\nOf store:\n", "\nHistory:\n", "\nOf chat:\n", "\nOf proxy and relay:\n", "\nOf work:\n"]
        {
            assert!(help.contains(text), "{text}: {help}");
        }
        let variable = |flag: &str| format!("[env: ANYLOOP_{}_{flag}=]", command.to_uppercase());
        for variable in [variable("CAPACITY"), variable("QUIET"), "[env: MOTD=]".to_owned()] {
            assert!(help.contains(&variable), "{variable}: {help}");
        }
    }
}

#[test]
fn a_flag_that_is_taken_is_a_mistake_in_the_program() {
    #[derive(Args)]
    struct Rate {
        #[arg(long)]
        rate: u32,
    }
    #[derive(Args)]
    struct Short {
        #[arg(short = 'b', long)]
        bold: bool,
    }
    #[derive(Args)]
    struct Color {
        #[arg(long)]
        color: bool,
    }
    #[derive(Args)]
    struct Field {
        #[arg(long = "endpoint")]
        listen: u16,
    }
    #[derive(Args)]
    struct NoFlag {
        file: String,
    }
    #[derive(Args)]
    struct Room {
        #[arg(long, alias = "capacity")]
        room: usize,
    }
    for (served, expected) in [
        (
            served::<Rate>("own"),
            "own can't have the flag --rate: compare has it already; give it another name",
        ),
        (served::<Short>("own"), "own can't have the flag -b: serve has it already"),
        (served::<Color>("own"), "own can't have the flag --color: every command has it already"),
        (served::<Field>("own"), "own can't have a field `listen`: serve has it already"),
        (served::<NoFlag>("own"), "the argument `file` of own has no long name; add one"),
        (served::<Room>("own"), "own can't have the flag --capacity: store has it already"),
    ] {
        let mut catalogue = catalogue();
        let add = std::panic::AssertUnwindSafe(move || catalogue.add_served(served));
        let panic = catch_unwind(add).unwrap_err();
        let said = panic.downcast_ref::<String>().unwrap();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn the_command_line_is_valid_with_them() {
    mod other {
        /// A type with the same name as another one.
        #[derive(clap::Args)]
        pub(super) struct Store {
            #[arg(long)]
            shelves: u8,
        }
    }
    let mut catalogue = catalogue();
    catalogue.add_served(served::<other::Store>("other"));
    catalogue.command(&Program::new()).debug_assert();
    assert!(
        given(&catalogue, &words("serve --handler other"))
            .is_err_and(|error| error.contains("--shelves SHELVES"))
    );
}

#[test]
fn one_of_several_may_be_required() {
    #[derive(Args)]
    #[group(required = true, multiple = false)]
    struct Source {
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        #[arg(long)]
        empty: bool,
    }
    let mut catalogue = Catalogue::built_in();
    catalogue.add_served(served::<Source>("own"));
    let error = |line| given(&catalogue, &words(line)).err();
    assert_eq!(error("serve").as_deref(), Some("own needs --file FILE or --empty; add it"));
    assert_eq!((error("serve --empty"), error("serve --handler echo")), (None, None));
    assert!(error("serve --empty --file a").is_some_and(|error| error.contains("cannot be used with")));
}
