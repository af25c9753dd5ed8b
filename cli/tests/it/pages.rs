//! The pages for readers: every link leads somewhere, and the commands are run.
//!
//! A block of code that begins with `sh` is run, in a network namespace of its own, in which the ports are free. One that begins
//! with `sh long` takes long, or needs what a machine for tests does not have; that its commands are valid is tested in
//! `cli/src/help.rs`. The commands of `docs/operate.md` have tests of their own, and so have the lessons of `docs/learn`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use tempfile::tempdir;

use crate::group::skip;
use crate::process::{anyloop, run};

/// The folder of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// All pages, as their path from the workspace and their text.
fn pages() -> Vec<(String, String)> {
    let tracked = run(Command::new("git").args(["ls-files", "*.md"]).current_dir(root()), "").stdout;
    let names = tracked.lines().filter(|name| !root().join(name).is_symlink());
    names.map(|name| (name.to_owned(), fs::read_to_string(root().join(name)).unwrap())).collect()
}

/// The lines of a page that are not code.
fn prose(page: &str) -> String {
    let mut is_code = false;
    let lines = page.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.fold(String::new(), |text, line| text + line + "\n")
}

/// The names by which the headings of a page are linked.
fn anchors(page: &str) -> Vec<String> {
    let headings =
        prose(page).lines().filter(|line| line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
    let anchor = |heading: &String| {
        let text = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        text.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
    };
    headings.iter().map(anchor).collect()
}

/// The targets of a page's links: inline, and of references.
fn links(page: &str) -> Vec<String> {
    let text = prose(page);
    let text = text.split('`').step_by(2).collect::<String>(); // without code
    let inline = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let references = text.lines().filter_map(|line| Some(line.strip_prefix('[')?.split_once("]: ")?.1));
    inline.chain(references).map(str::to_owned).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let pages: HashMap<_, _> = pages().into_iter().collect();
    let leads_somewhere = |name: &str, link: &str| {
        let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
        let target =
            if path.is_empty() { root().join(name) } else { root().join(name).parent().unwrap().join(path) };
        let Ok(target) = target.canonicalize() else { return false };
        let page = target.strip_prefix(root()).ok().and_then(|target| pages.get(target.to_str()?));
        anchor.is_empty() || page.is_some_and(|page| anchors(page).iter().any(|it| it == anchor))
    };
    let links = pages.iter().flat_map(|(name, page)| links(page).into_iter().map(move |link| (name, link)));
    let (right, wrong): (Vec<_>, Vec<_>) = links
        .filter(|(_, link)| !link.starts_with("http"))
        .partition(|(name, link)| leads_somewhere(name, link));
    assert!(wrong.is_empty(), "they lead nowhere, or to no heading: {wrong:#?}");
    assert!(right.len() > 60, "{right:?}");
}

#[test]
fn every_file_that_a_page_names_is_there() {
    let folders: Vec<_> = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let mut checked = 0;
    for (name, page) in pages() {
        for word in prose(&page).split('`').skip(1).step_by(2) {
            let path = word.split("::").next().unwrap(); // a test of a file
            let is_plain = path.chars().all(|c| c.is_alphanumeric() || "/._-".contains(c));
            let within =
                path.split_once('/').is_some_and(|(folder, _)| folders.iter().any(|it| it == folder));
            if is_plain && within && !path.starts_with("target/") {
                assert!(root().join(path).exists(), "{name}: there is no `{path}`");
                checked += 1;
            }
        }
    }
    assert!(checked > 60, "{checked}");
}

/// In the documentation of the library a guide is no file, so that a link from one to the other has to be a reference, which
/// `anyloop/src/guide.rs` overrides.
#[test]
fn the_guides_of_the_library_link_by_references() {
    for guide in fs::read_dir(root().join("anyloop/docs")).unwrap() {
        let path = guide.unwrap().path();
        let text = prose(&fs::read_to_string(&path).unwrap());
        let inline = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let wrong: Vec<_> =
            inline.filter(|link| !link.starts_with("http") && !link.starts_with('#')).collect();
        assert!(wrong.is_empty(), "{path:?}: {wrong:?}");
    }
}

/// The pages whose commands are run here, each with what has to be there before.
const RUN: [(&str, &str); 5] = [
    ("README.md", ""),
    ("docs/learn/learn.md", ""),
    ("docs/push.md", "redis-server --port 6379 --save '' >/dev/null &\n"),
    ("docs/tls.md", CERTIFICATES),
    ("docs/write-a-backend.md", ""),
];

/// The pages whose commands are run by other tests, or are those of another page, and a report, which quotes its command.
const RUN_ELSEWHERE: [&str; 3] = ["docs/learn/learn.zh.md", "docs/operate.md", "docs/sample/report.md"];

#[test]
fn every_page_with_commands_is_run() {
    for (name, _) in pages().iter().filter(|(_, page)| page.contains("\n```sh\n")) {
        let is_run = RUN.iter().any(|(page, _)| page == name) || RUN_ELSEWHERE.contains(&name.as_str());
        assert!(is_run, "{name} has commands that no test runs; add it to `RUN`, or mark them as `sh long`");
    }
}

#[test]
fn the_commands_are_run() {
    let folder = tempdir().unwrap();
    let built = Path::new(env!("CARGO_BIN_EXE_anyloop")).parent().unwrap();
    let path = env::split_paths(&env::var_os("PATH").unwrap()).collect::<Vec<_>>();
    let path = env::join_paths([built.to_owned()].into_iter().chain(path)).unwrap();
    for (page, needs) in RUN {
        let script = script(&fs::read_to_string(root().join(page)).unwrap());
        let is_missing = |program: &str| script.contains(program) && !built.join(program.trim()).exists();
        if PROGRAMS.iter().any(|(_, program)| is_missing(program)) {
            skip(&format!("{page} runs an example, which `cargo test --workspace` builds"));
            continue;
        }
        let within = folder.path().join(page.replace('/', "-"));
        fs::create_dir(&within).unwrap();
        let mut command = Command::new("unshare");
        let namespaces = "--user --map-root-user --net --pid --fork --kill-child bash -euc";
        command.args(namespaces.split(' ')).arg(format!("{LOOPBACK}{needs}{script}"));
        command.current_dir(&within).env("PATH", &path);
        for (name, _) in anyloop(&[]).get_envs().filter(|(_, value)| value.is_none()) {
            command.env_remove(name);
        }
        let ended = run(&mut command, "");
        assert_eq!(ended.code, Some(0), "{page}: {ended:?}\n{script}");
    }
}

/// Enables the loopback device of a namespace.
const LOOPBACK: &str = "python3 -c 'import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack(\"16sH\", b\"lo\", 1))'
";

/// An authority, and a certificate for example.org.
const CERTIFICATES: &str = "
{ openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /CN=authority
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj /CN=example.org
printf 'subjectAltName=DNS:example.org' > names
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile names -out server.crt
} 2>openssl.log
chmod 600 server.key
";

/// What runs the commands of a page's `sh` blocks one after the other. A server runs until the end.
fn script(page: &str) -> String {
    let blocks = page.split("\n```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let lines: Vec<_> = blocks
        .flat_map(|block| block.replace("\\\n", " ").lines().map(program).collect::<Vec<_>>())
        .collect();
    assert!(!lines.is_empty(), "no commands");
    let mut script = String::new();
    let is_lesson = |line: &str| line.starts_with("docs/learn/lesson.sh"); // examples/learn/tests/lessons.rs runs it
    for (number, line) in lines.iter().enumerate().filter(|(_, line)| !is_lesson(line)) {
        let is_server = line.contains(" serve ") && !line.contains("--show-config");
        if is_server {
            let log = format!("server{number}.log");
            writeln!(script, "{line} >{log} 2>&1 & server=$!").unwrap();
            writeln!(script, "until grep -q 'listening on' {log}; do kill -0 $server || {{ cat {log}; exit 1; }}; sleep .05; done").unwrap();
        } else {
            writeln!(script, "printf 'hello\\nexit\\n' | {line}").unwrap();
        }
    }
    script
}

/// The programs that pages run by cargo, and how a test runs them.
const PROGRAMS: [(&str, &str); 4] = [
    ("cargo run --release --locked -- ", "anyloop "),
    ("cargo run --release -- ", "anyloop "),
    ("cargo run --release -p anyloop-example-backend -- ", "poll "),
    ("cargo run --release -p anyloop-example-chat -- ", "chat "),
];

/// A command line, in which a program that is built is run instead of by cargo.
fn program(line: &str) -> String {
    let found = PROGRAMS.iter().find_map(|(cargo, program)| Some((*program, line.strip_prefix(cargo)?)));
    found.map_or_else(|| line.to_owned(), |(program, flags)| program.to_owned() + flags)
}
