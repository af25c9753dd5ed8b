//! Commands about the server: INFO, CONFIG GET and COMMAND.

use std::fmt::Write;

use crate::client::REDIS_VERSION;
use crate::commands::{unknown_subcommand, wrong_number};
use crate::reply::Reply;
use crate::request::Arguments;
use crate::store::Store;
use crate::table::{COMMANDS, Entry, find};

/// The settings that clients read at the start, and their values.
const SETTINGS: [(&str, &str); 4] =
    [("appendonly", "no"), ("databases", "1"), ("maxmemory-policy", "noeviction"), ("save", "")];

/// `INFO [section …]`.
pub(crate) fn info(command: Arguments<'_>, store: &Store, reply: &mut Reply<'_>) {
    let asked = |section: &str| {
        let mut sections = command.from(1);
        let is = |name: &[u8]| {
            [section, "all", "default", "everything"].iter().any(|s| name.eq_ignore_ascii_case(s.as_bytes()))
        };
        command.len() == 1 || sections.any(is)
    };
    let mut text = String::new();
    let mut section = |name: &str, lines: &str| {
        if asked(name) {
            let line_between = if text.is_empty() { "" } else { "\r\n" };
            let _ = write!(text, "{line_between}# {name}\r\n{lines}"); // a string takes everything
        }
    };
    let (keys, bytes) = {
        let entries = store.read();
        (entries.len(), entries.bytes())
    };
    section("Server", &format!("redis_version:{REDIS_VERSION}\r\nredis_mode:standalone\r\n"));
    section("Memory", &format!("used_memory:{bytes}\r\nmaxmemory:{}\r\n", store.most()));
    section("Persistence", "loading:0\r\n");
    section("Replication", "role:master\r\nconnected_slaves:0\r\n");
    let keys = if keys == 0 { String::new() } else { format!("db0:keys={keys},expires=0,avg_ttl=0\r\n") };
    section("Keyspace", &keys);
    reply.text(&text);
}

/// `CONFIG GET name …`.
pub(crate) fn config(command: Arguments<'_>, reply: &mut Reply<'_>) {
    match (command.get(1).eq_ignore_ascii_case(b"GET"), command.len()) {
        (true, 3..) => {
            // A name is returned as the client has written it.
            let found = SETTINGS.iter().filter_map(|(setting, value)| {
                let setting = setting.as_bytes();
                let name =
                    command.from(2).find(|name| *name == b"*" || name.eq_ignore_ascii_case(setting))?;
                Some((if name == b"*" { setting } else { name }, value))
            });
            reply.map(found.clone().count());
            for (name, value) in found {
                reply.bulk(name);
                reply.bulk(value.as_bytes());
            }
        }
        (true, _) => wrong_number(command, 2, reply),
        (false, _) => unknown_subcommand(command, "GET", reply),
    }
}

/// `COMMAND`, `COMMAND COUNT`, `COMMAND INFO [name …]` and `COMMAND DOCS [name …]`.
pub(crate) fn command(command: Arguments<'_>, reply: &mut Reply<'_>) {
    let subcommand = command.get(1).to_ascii_uppercase();
    match (&*subcommand, command.len()) {
        (_, 1) | (b"INFO", 2) => reply.bounded(|reply| {
            reply.array(COMMANDS.len());
            COMMANDS.iter().for_each(|entry| describe(entry, reply));
        }),
        (b"INFO", _) => reply.bounded(|reply| {
            reply.array(command.len() - 2);
            for name in command.from(2) {
                match find(name) {
                    Some(entry) => describe(entry, reply),
                    None => reply.null(),
                }
            }
        }),
        (b"COUNT", 2) => reply.integer(COMMANDS.len() as i64),
        (b"COUNT", _) => wrong_number(command, 2, reply),
        (b"DOCS", 2) => reply.bounded(|reply| {
            reply.map(COMMANDS.len());
            COMMANDS.iter().for_each(|entry| document(entry, reply));
        }),
        (b"DOCS", _) => reply.bounded(|reply| {
            let known = command.from(2).filter_map(find);
            reply.map(known.clone().count());
            known.for_each(|entry| document(entry, reply));
        }),
        _ => unknown_subcommand(command, "COUNT, DOCS or INFO", reply),
    }
}

/// The description of a command for programs: the first six fields of Redis.
fn describe(entry: &Entry, reply: &mut Reply<'_>) {
    reply.array(6);
    reply.bulk(entry.name.as_bytes());
    reply.integer(entry.arity);
    reply.set(entry.flags.len());
    entry.flags.iter().for_each(|flag| reply.status(flag));
    entry.keys.iter().for_each(|&key| reply.integer(key));
}

/// The documentation of a command.
fn document(entry: &Entry, reply: &mut Reply<'_>) {
    reply.bulk(entry.name.as_bytes());
    let facts = [("summary", entry.summary), ("since", entry.since), ("group", entry.group)];
    reply.map(facts.len());
    for (fact, value) in facts {
        reply.bulk(fact.as_bytes());
        reply.bulk(value.as_bytes());
    }
}
