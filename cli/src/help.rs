//! The end of each command's help: examples and exit codes.

use crate::program::Program;

/// The text after the flags of a command.
pub(crate) struct Below {
    /// The command; empty for the program itself.
    pub(crate) command: &'static str,
    /// An introduction.
    text: &'static str,
    /// The description and the arguments of each example. `{program}` is replaced by the program, `{handler}` by its
    /// default handler, and `{reports}` by the folder of its reports.
    examples: &'static [(&'static str, &'static str)],
    /// The exit codes.
    codes: &'static str,
}

impl Below {
    /// The text, for a program with this default handler.
    pub(crate) fn text(&self, program: &Program, handler: &str) -> String {
        let example = |(what, arguments)| format!("  # {what}\n  {{program}} {arguments}\n");
        let examples: String = self.examples.iter().copied().map(example).collect();
        let examples = examples
            .replace("{program}", program.name())
            .replace("{handler}", handler)
            .replace("{reports}", &program.reports());
        let paragraphs = [self.text, &format!("Examples:\n{}", examples.trim_end()), self.codes];
        let said: Vec<_> = paragraphs.into_iter().filter(|text| !text.is_empty()).collect();
        said.join("\n\n")
    }
}

/// The texts of all commands.
pub(crate) const BELOW: [Below; 14] = [
    Below {
        command: "",
        text: "",
        examples: &[
            ("serve the handler `{handler}` on smol", "serve"),
            ("measure a server for ten seconds", "load 127.0.0.1:8888"),
            ("find out which backend suits this machine", "compare"),
        ],
        codes: "Exit codes: 0, success; 1, failure; 2, wrong usage. The help of each command has details.",
    },
    Below {
        command: "serve",
        text: "When it listens, it prints `listening on ADDRESS:PORT` or `listening on unix:PATH` to standard output; the log goes to standard error. \
               SIGINT, SIGTERM or SIGHUP starts a drain; another one, at least a second later, ends the server at once. \
               Under `nohup` SIGHUP is ignored. With --tls-cert, --tls-certs or --config SIGHUP reloads the certificates instead, and what can't be loaded changes nothing. \
               SIGUSR2 hands the server over to a new process, without refusing a client. \
               The lines of --show-config have sizes in bytes, and behind a `#` what has set the value; they are a file for --config, whose keys are the names of the flags.",
        examples: &[
            ("serve the handler `{handler}` on smol, at 127.0.0.1:8888", "serve"),
            (
                "the same on tokio, with TLS, on any free port",
                "serve -b tokio --handler {handler} --listen 127.0.0.1:0 --tls-cert server.crt --tls-key server.key",
            ),
            (
                "the same on a Unix socket that its owner's group may connect to",
                "serve --listen unix:/run/{program}.sock --listen-mode 660",
            ),
            (
                "limit the clients, and write a receipt at the end",
                "serve --max-message 4KiB --idle-timeout 30s --receipt receipt.json",
            ),
        ],
        codes: "Exit codes:\n  \
                0    every client ended by itself or was drained\n  \
                1    clients had to be cut off, or serving failed or could not begin, for example on an address in use\n  \
                2    wrong usage",
    },
    Below {
        command: "client",
        text: "On a terminal, messages are typed at a prompt and replies are shown when they arrive; `exit` or Ctrl-D ends, \
               Ctrl-C at once. Otherwise every line of standard input is a message, and every reply a line of standard \
               output. On a terminal, control characters are escaped, such as `\\x1b`; a pipe or a file gets the \
               unchanged bytes.",
        examples: &[
            ("talk to a server", "client 127.0.0.1:8888"),
            ("talk to one that listens on a Unix socket", "client unix:/run/{program}.sock"),
            ("send the lines of a file", "client 127.0.0.1:8888 < messages.txt"),
            ("talk to the socket tutorial's server", "client --framing raw 127.0.0.1:8888"),
        ],
        codes: "Exit codes:\n  \
                0    the conversation ended normally\n  \
                1    there is no server, or it can't be trusted, or the connection broke, or the server's last reply was an error (`ERR …`), or it \
               ended without any reply or before it took or answered the messages, sent nothing for too long, or \
               sent an invalid reply\n  \
                2    wrong usage",
    },
    Below {
        command: "load",
        text: "Every reply is verified; with --expect any replies are only counted. With --subscribe every push is \
               verified, and its delay measured from the sending of its message; one that never comes is counted as \
               missed, which is no failure. A table goes to standard output, and on a terminal progress to standard \
               error. \
               Ctrl-C ends the run early and shows the results so far.",
        examples: &[
            ("a closed loop: each of 64 connections sends when a reply has come", "load 127.0.0.1:8888"),
            (
                "an open loop of 15,000 messages per second, with an objective",
                "load 127.0.0.1:8888 -c 200 -r 15k -d 30s --slo p99=5ms",
            ),
            (
                "the highest rate that meets the objective",
                "load 127.0.0.1:8888 --find-max-rate --slo p99=5ms",
            ),
            ("the measurement as JSON, for `merge`", "load 127.0.0.1:8888 --json here.json"),
        ],
        codes: LOAD_CODES,
    },
    Below {
        command: "merge",
        text: "Histograms are added, so that the percentiles are those of all messages. Each measurement may be given only \
               once, all shards of a load have to be there, and all are to be measured at the same time. A row for each \
               shows whether it was the limit itself.",
        examples: &[
            ("the measurements of two machines", "merge here.json there.json"),
            ("the same, as JSON", "merge here.json there.json --format json"),
            ("what the pods of a Job have printed", "merge - < logs"),
        ],
        codes: LOAD_CODES,
    },
    Below {
        command: "verify",
        text: "The judge knows only the file, not the client or the server. A message that was unanswered when its \
               connection was ended by the server or the network is unknown, which is no violation; every other one \
               must have its own reply.",
        examples: &[
            ("a history of a server of anyone's", "verify history"),
            ("one that ends with a clean drain of the server", "verify history --handled 129114"),
        ],
        codes: "Exit codes; where several apply, the lowest of this list counts:\n  \
                0    every reply is as it should be\n  \
                3    the end of the history is missing, or --handled has no verdict\n  \
                1    no message was answered\n  \
                4    there are violations\n  \
                2    wrong usage, or the file can't be read or is not a history",
    },
    Below {
        command: "compare",
        text: "Every reply is verified; with --expect any replies are only counted. A table goes to standard output, \
               and the reports to the folder of --output: \
               report.html, report.md and report.json. Ctrl-C ends early and shows the results so far; the reports are \
               then named report-interrupted, so that complete ones are kept. A backend that can't run on this machine \
               is listed as not available, which is not a failure. With --handler fanout it is compared what pushes to \
               1, 100 and 10,000 clients cost.",
        examples: &[
            ("which backend suits this machine, in about three minutes", "compare"),
            (
                "another program compared with a backend, with an objective",
                "compare -b threads --server own='./server --port {port}' --slo p99=20ms",
            ),
            ("two builds in the same rounds", "compare -b smol --against before/{program}"),
            ("changes since an earlier comparison", "compare --baseline before/report.json -o after"),
        ],
        codes: "Exit codes; where several apply, the lowest of this list counts:\n  \
                0    success\n  \
                3    --slo, --baseline or --against has no verdict, or nothing has\n  \
                5    no server meets an --slo\n  \
                6    something is worse than in the --baseline, or than in the build of --against\n  \
                1    a server failed, or nothing was measured\n  \
                4    replies were wrong, or more than 1 % were refusals without --allow-refusals\n  \
                130  interrupted\n  \
                2    wrong usage: nothing was measured",
    },
    Below {
        command: "report",
        text: "It writes report.html and report.md again, and prints the table to standard output. The file itself is not \
               changed.",
        examples: &[
            ("the last comparison", "report {reports}/report.json"),
            ("the page and the Markdown in another folder", "report before.json -o before"),
        ],
        codes: "Exit codes: 0, rendered; 1, it can't be written; 2, wrong usage, or the file is not a report.json.",
    },
    Below {
        command: "diff",
        text: "Both must have been measured under the same loads.",
        examples: &[
            ("from one commit to another", "diff before/report.json after/report.json"),
            ("measured on different machines", "diff --force here.json there.json"),
        ],
        codes: "Exit codes:\n  \
                0    nothing became worse\n  \
                2    wrong usage, or the two can't be compared\n  \
                3    there is no verdict on some changes\n  \
                6    something became worse",
    },
    Below {
        command: "handwritten",
        text: "Echo servers of lines, written without anyloop on one runtime each: plain, as in the runtime's examples, \
               or careful, with batched replies; and raw loops. None has a limit or a deadline. When a server listens, \
               it prints `listening on ADDRESS:PORT`; a signal ends it.",
        examples: &[
            ("list them", "handwritten"),
            ("run the careful one on tokio", "handwritten tokio-careful --listen 127.0.0.1:8888"),
        ],
        codes: "Exit codes: 0, the list was written; 1, it can't serve; 2, wrong usage.",
    },
    Below {
        command: "backends",
        text: "",
        examples: &[("as a table", "backends"), ("for programs", "backends --format json")],
        codes: "",
    },
    Below {
        command: "handlers",
        text: "",
        examples: &[("as a table", "handlers"), ("for programs", "handlers --format json")],
        codes: "",
    },
    Below {
        command: "completions",
        text: "",
        examples: &[
            ("for bash, in this shell", "completions bash | source /dev/stdin"),
            ("for fish", "completions fish > ~/.config/fish/completions/{program}.fish"),
        ],
        codes: "",
    },
    Below {
        command: "man",
        text: "",
        examples: &[
            ("read a manual page", "man load | man -l -"),
            ("save the manual page of all commands", "man > {program}.1"),
        ],
        codes: "",
    },
];

const LOAD_CODES: &str = "Exit codes; where several apply, the lowest of this list counts:\n  \
    0    success\n  \
    3    an --slo has no verdict\n  \
    5    an --slo was missed\n  \
    1    connections failed, or no reply or no push came\n  \
    4    replies were lost, doubled, reordered, another connection's, wrong or superfluous, pushes were doubled, \
    reordered or wrong, or more than 1 % of the replies were refusals without --allow-refusals\n  \
    130  interrupted\n  \
    2    wrong usage: nothing was measured";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    /// The arguments of a command line, without shell operators and what follows.
    fn arguments(line: &str) -> Vec<String> {
        let words = shlex::split(line).unwrap_or_else(|| panic!("{line}"));
        words
            .into_iter()
            .take_while(|word| !["|", ">", "<", ";", "&", "&&"].contains(&word.as_str()))
            .collect()
    }

    #[track_caller]
    fn check(line: &str) {
        let command = Catalogue::built_in().command(&Program::new());
        let all = ["anyloop".to_owned()].into_iter().chain(arguments(line));
        if let Err(error) = command.try_get_matches_from(all) {
            panic!("{line}: {error}");
        }
    }

    #[test]
    fn every_command_has_two_to_four_examples_that_are_right() {
        let program = Program::new();
        let command = Catalogue::built_in().command(&program);
        for below in &BELOW {
            assert!((2..=4).contains(&below.examples.len()), "{}", below.command);
            let text = below.text(&program, "counter");
            let begin = format!("  {} ", program.name());
            let examples: Vec<_> = text.lines().filter_map(|line| line.strip_prefix(&begin)).collect();
            assert_eq!(examples.len(), below.examples.len(), "{text}");
            examples.into_iter().for_each(check);
        }
        for name in command.get_subcommands().map(clap::Command::get_name) {
            assert!(BELOW.iter().any(|below| below.command == name), "{name} has no examples");
        }
    }

    #[test]
    fn the_commands_of_the_documentation_are_right() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let pages = std::process::Command::new("git").args(["ls-files", "*.md"]).current_dir(&root).output();
        let mut checked = 0;
        for page in String::from_utf8(pages.unwrap().stdout).unwrap().lines() {
            let text = std::fs::read_to_string(root.join(page)).unwrap();
            // In the guides, `cargo run` runs the reader's command, so only the README's are checked.
            let from_source = if page == "README.md" { "cargo run --release -- " } else { "anyloop " };
            for line in shell_lines(&text) {
                let command = line.strip_prefix("anyloop ").or(line.strip_prefix(from_source));
                checked += command.map(check).iter().len();
            }
        }
        assert!(checked >= 50, "{checked}");
    }

    /// The lines of the shell code blocks of a Markdown text.
    fn shell_lines(text: &str) -> Vec<String> {
        let blocks =
            text.split("```sh").skip(1).filter_map(|rest| rest.split("```").next()?.split_once('\n'));
        blocks
            .flat_map(|(_, block)| block.replace("\\\n", " ").lines().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    }
}
