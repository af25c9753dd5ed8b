use std::sync::Arc;

use clap::{Args, FromArgMatches};
use common::Handler;
use handlers::Echo;
use tempfile::tempdir;

use super::*;
use crate::arguments::{Arguments, Task};
use crate::catalogue::{Catalogue, Served, What};
use crate::program::Program;
use crate::{config, service};

/// Of a product that serves nothing else.
#[derive(Args)]
struct Flags {
    #[arg(long, hide_env_values = true, value_parser = token)]
    token: String,

    #[arg(long)]
    room: Vec<String>,

    #[arg(long, requires = "key")]
    cert: Option<String>,

    #[arg(long)]
    key: Option<String>,
}

fn token(text: &str) -> Result<String, String> {
    if text.len() < 4 { Err(format!("`{text}` is too short")) } else { Ok(text.to_owned()) }
}

/// The command of the product, and the file with this text.
fn read(text: &str, arguments: &[&str]) -> (Command, Vec<OsString>, Option<File>) {
    let mut catalogue = Catalogue::built_in();
    catalogue.remove_built_in();
    let make = |_: &Flags| -> Result<Arc<dyn Handler>, String> { Ok(Arc::new(Echo)) };
    catalogue.add_served(Served::of_flags("talk", "one of its own", What::Handler, make));
    let command = catalogue.command(&Program::new());
    let folder = tempdir().unwrap();
    let path = folder.path().join("server.toml");
    fs::write(&path, text).unwrap();
    let mut all: Vec<OsString> = ["anyloop", "serve", "--config"].map(OsString::from).into();
    all.push(path.into());
    all.extend(arguments.iter().map(OsString::from));
    let file = File::of(&command, &all).unwrap();
    (command, all, file)
}

/// The error, without the name of the folder.
fn error(text: &str, arguments: &[&str]) -> String {
    let (mut command, all, file) = read(text, arguments);
    let file = file.unwrap();
    let error = command.try_get_matches_from_mut(file.added_to(&all)).unwrap_err();
    let text = usage::explain(&command, &all, Some(&file), &error).unwrap_or_else(|| error.to_string());
    text.replace(&format!("{}/", file.path().parent().unwrap().display()), "")
}

#[test]
fn a_file_has_the_flags_of_a_handler_also_required_ones() {
    let (mut command, all, file) = read("token = 'secret'\nroom = ['a', 'b']\n", &["--room", "c"]);
    let file = file.unwrap();
    let matches = command.try_get_matches_from_mut(file.added_to(&all)).unwrap();
    let serve = matches.subcommand_matches("serve").unwrap();
    assert_eq!(serve.get_one::<String>("token").unwrap(), "secret");
    assert_eq!(
        serve.get_many::<String>("room").unwrap().collect::<Vec<_>>(),
        ["c"],
        "the flag overrides the key"
    );
    assert_eq!(error("room = 'a'", &[]), "--token <TOKEN> is needed; add it, as a flag or in server.toml");
    let expected = "--key <KEY> is needed; add it, as a flag or in server.toml";
    assert_eq!(error("token = 'secret'\ncert = 'a'", &[]), expected);
}

#[test]
fn a_secret_is_neither_quoted_nor_shown() {
    assert_eq!(error("\ntoken = 'abc'", &[]), "server.toml:2: token: `…` is too short");
    let (mut command, all, file) = read("token = 'secret'\nroom = ['a', 'b']\n", &[]);
    let file = file.unwrap();
    let matches = command.try_get_matches_from_mut(file.added_to(&all)).unwrap();
    let origins = usage::origins(&command, &matches, Some(&file));
    let Task::Serve(arguments) = Arguments::from_arg_matches(&matches).unwrap().task else { unreachable!() };
    let service = service::service(&arguments, 1024).unwrap();
    let text = config::text(&arguments, &service, &origins);
    assert!(
        text.contains("\n# token is secret, and not shown # ") && !text.contains("= \"secret\""),
        "{text}"
    );
    assert!(text.contains("\nroom = [\"a\", \"b\"] # "), "{text}");
    assert!(!text.contains("config = "), "{text}");
}

#[test]
fn a_command_line_without_a_file_or_with_the_help_reads_none() {
    for arguments in [&["anyloop", "serve"][..], &["anyloop", "client", "--config", "a"], &["anyloop"]] {
        let all: Vec<_> = arguments.iter().map(OsString::from).collect();
        let command = Catalogue::built_in().command(&Program::new());
        assert!(File::of(&command, &all).unwrap().is_none(), "{arguments:?}");
    }
    assert!(read("nonsense", &["--help"]).2.is_none());
}
