//! Servers that can be compared, and how each is started.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::Kind;

/// A server that is compared. Plain data, so that this crate depends on no backend.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidate {
    /// Its name, unique among the candidates.
    pub name: String,
    /// Its concurrency model in a few words, or the command line of another program.
    pub model: String,
    /// Why it should not be chosen for something new.
    pub legacy: Option<String>,
    /// What kind of server it is.
    pub kind: Kind,
    /// How many connections it can hold; `None` if there is no limit.
    pub max_connections: Option<usize>,
    /// Why it can't run on this machine, if so: then it is listed and not started.
    pub unavailable: Option<String>,
    /// Where it runs the handler: `worker`, `own thread`, `blocking pool of 512`; `None` if that is not known.
    pub handler_runs: Option<String>,
    /// How it is started.
    pub launch: Launch,
}

/// How a server is started. It must listen on a loopback address, accept as many connections at once as
/// [`Settings::most_connections`](crate::Settings::most_connections) returns, and stay in the foreground.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Launch {
    /// It listens on a port of its own choice, and prints the line `listening on ADDRESS:PORT` on standard output.
    Announces {
        /// The program.
        program: PathBuf,
        /// Its arguments.
        arguments: Vec<OsString>,
        /// The prefix of the environment variables that set its flags. These are removed from its environment.
        variables: String,
    },
    /// It listens on the port that it is given: in each word, `{port}` is replaced by a free port, and `{address}` by
    /// that port of 127.0.0.1, `127.0.0.1:8080` say. It is ready when it accepts a connection.
    Command {
        /// The program and its arguments. No shell interprets them.
        words: Vec<String>,
    },
}

/// The placeholders of the port, and of the address with the port.
const PORT: &str = "{port}";
const ADDRESS: &str = "{address}";

/// The placeholders of the files of a certificate and its key.
const CERTIFICATE: &str = "{cert}";
const KEY: &str = "{key}";

impl Candidate {
    /// Any program that listens, by the command line that starts it. The line is split into words as a shell would, but
    /// nothing is expanded; `sh -c '…'` runs a shell.
    ///
    /// # Errors
    /// If the name or the command is missing, a quote is not closed, or the command contains neither `{port}` nor
    /// `{address}`.
    pub fn server(name: &str, command: &str) -> Result<Self, String> {
        if name.is_empty() {
            return Err(format!("the server `{command}` has no name; write NAME='COMMAND'"));
        }
        if name.chars().any(char::is_control) {
            return Err(format!("the name {name:?} has a control character in it; choose another one"));
        }
        let words = shlex::split(command).ok_or_else(|| {
            format!("the command of {name} has a quote that is not closed, or ends in a backslash: {command}")
        })?;
        if words.is_empty() {
            return Err(format!("the command of {name} is empty; write NAME='COMMAND'"));
        }
        if words[0].is_empty() {
            return Err(format!(
                "the program of {name} is an empty word; write NAME='COMMAND', as in a='serve {PORT}'"
            ));
        }
        if !words.iter().any(|word| word.contains(PORT) || word.contains(ADDRESS)) {
            return Err(format!(
                "the command of {name} doesn't say where the port belongs; write {PORT} in its place, as in `{command} \
                 --port {PORT}`, or {ADDRESS} for 127.0.0.1 and the port"
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            model: command.to_owned(),
            kind: Kind::Server,
            launch: Launch::Command { words },
            ..Self::default()
        })
    }

    /// Says where its certificate and the key of it are, in PEM: `{cert}` and `{key}` in the words of a command.
    ///
    /// # Errors
    /// If the command contains one of them only, or neither.
    pub fn with_certificate(mut self, certificate: &Path, key: &Path) -> Result<Self, String> {
        let Launch::Command { words } = &mut self.launch else { return Ok(self) };
        for (placeholder, file) in [(CERTIFICATE, certificate), (KEY, key)] {
            if !words.iter().any(|word| word.contains(placeholder)) {
                return Err(format!(
                    "the command of {} doesn't say where the certificate belongs; write {CERTIFICATE} and {KEY} in the place \
                     of its files in PEM, or leave out --tls",
                    self.name
                ));
            }
            let file = file.to_string_lossy();
            words.iter_mut().for_each(|word| *word = word.replace(placeholder, &file));
        }
        Ok(self)
    }

    /// The same backend in another build of this command. Its name is this candidate's, followed by `(FILE NAME)`.
    ///
    /// # Errors
    /// If this candidate is not a server of this command.
    pub fn of_build(&self, program: &Path) -> Result<Self, String> {
        let Launch::Announces { arguments, variables, .. } = &self.launch else {
            return Err(format!("{} is no server of this command, so no other build has it", self.name));
        };
        let file = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy();
        Ok(Self {
            name: format!("{} ({file})", self.name),
            kind: Kind::Build { of: self.name.clone() },
            launch: Launch::Announces {
                program: program.to_owned(),
                arguments: arguments.clone(),
                variables: variables.clone(),
            },
            ..self.clone()
        })
    }
}

impl FromStr for Candidate {
    type Err = String;

    /// The value of `--server`: `NAME=COMMAND`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, command)) => Self::server(name.trim(), command),
            None => Err(format!("`{text}` has no `=`; write NAME='COMMAND', with {PORT} in the command")),
        }
    }
}

impl Launch {
    /// The words of a command, with the placeholders replaced by this port.
    pub(super) fn words(words: &[String], port: u16) -> impl Iterator<Item = String> {
        let address = format!("127.0.0.1:{port}");
        words.iter().map(move |word| word.replace(PORT, &port.to_string()).replace(ADDRESS, &address))
    }
}

impl Default for Launch {
    fn default() -> Self {
        Self::Announces { program: PathBuf::new(), arguments: Vec::new(), variables: String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(candidate: &Candidate) -> Vec<String> {
        let Launch::Command { words } = &candidate.launch else { panic!("{candidate:?}") };
        Launch::words(words, 7000).collect()
    }

    #[test]
    fn a_command_line_is_split_as_a_shell_splits_it() {
        let candidate = Candidate::server("redis", "redis-server --port {port} --save ''").unwrap();
        assert_eq!(words(&candidate), ["redis-server", "--port", "7000", "--save", ""]);
        assert_eq!((candidate.name.as_str(), candidate.kind), ("redis", Kind::Server));
        let candidate: Candidate = "a=sh -c 'serve --at={address} {port}'".parse().unwrap();
        assert_eq!(words(&candidate), ["sh", "-c", "serve --at=127.0.0.1:7000 7000"]);
    }

    #[test]
    fn an_invalid_command_line_is_refused() {
        for (text, what) in [
            ("a=serve", "write {port}"),
            ("a=serve --port 80", "write {port}"),
            ("a=", "empty"),
            ("a='serve {port}", "quote"),
            ("a='' {port}", "empty word"),
            ("a\u{1b}[31mb=serve {port}", "control character"),
            ("=serve {port}", "no name"),
            ("serve {port}", "no `=`"),
        ] {
            let error = text.parse::<Candidate>().unwrap_err();
            assert!(error.contains(what), "{text}: {error}");
        }
    }

    #[test]
    fn a_command_names_the_files_of_its_certificate() {
        let (certificate, key) = (Path::new("/t/a.crt"), Path::new("/t/a.key"));
        let with =
            |command: &str| Candidate::server("own", command).unwrap().with_certificate(certificate, key);
        assert_eq!(
            words(&with("serve {port} --pem={cert} {key}").unwrap()),
            ["serve", "7000", "--pem=/t/a.crt", "/t/a.key"]
        );
        for command in ["serve {port}", "serve {port} {cert}", "serve {port} {key}"] {
            let error = with(command).unwrap_err();
            assert!(error.contains("the command of own") && error.contains("{cert} and {key}"), "{error}");
        }
        let backend = Candidate::default();
        assert_eq!(backend.clone().with_certificate(certificate, key), Ok(backend), "its arguments say it");
    }

    #[test]
    fn another_build_is_started_with_the_same_arguments() {
        let arguments = vec![OsString::from("serve")];
        let variables = "ANYLOOP_".to_owned();
        let launch = Launch::Announces {
            program: "/new/anyloop".into(),
            arguments: arguments.clone(),
            variables: variables.clone(),
        };
        let smol = Candidate { name: "smol".into(), launch, ..Candidate::default() };
        let build = smol.of_build(Path::new("/old/anyloop-1.0")).unwrap();
        assert_eq!(build.name, "smol (anyloop-1.0)");
        assert_eq!(build.kind, Kind::Build { of: "smol".into() });
        let program = "/old/anyloop-1.0".into();
        assert_eq!(build.launch, Launch::Announces { program, arguments, variables });
        assert!(Candidate::server("x", "x {port}").unwrap().of_build(Path::new("/old")).is_err());
    }
}
