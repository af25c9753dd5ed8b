//! The implementation of each command.

use std::borrow::Cow;

use anyloop::{ErrorReply, Flow};

use crate::about;
use crate::client::Client;
use crate::number::number;
use crate::reply::Reply;
use crate::request::Arguments;
use crate::store::{Full, Store, When};
use crate::table::find;

/// The longest name of a command.
const LONGEST_NAME: usize = 8;

/// How much of an unknown name is returned in the error.
const LONGEST_ECHO: usize = 32;

/// The beginnings of HTTP requests. A web page can make its visitor's browser send such a request to a server on the
/// visitor's machine, with commands in its body. Like Redis, the store closes the connection after such a line.
pub(crate) const HTTP: ErrorReply = ErrorReply::Malformed(Cow::Borrowed("a request of HTTP"));

/// Executes a command, and writes its reply.
pub(crate) fn carry_out(
    command: Arguments<'_>,
    store: &Store,
    client: &mut Client,
    reply: &mut Reply<'_>,
) -> Result<Flow, ErrorReply> {
    let mut capitals = [0; LONGEST_NAME];
    let name = command.get(0);
    let name = match capitals.get_mut(..name.len()) {
        Some(capitals) => {
            capitals.copy_from_slice(name);
            capitals.make_ascii_uppercase();
            &*capitals
        }
        None => name,
    };
    let first = command.get(1);
    match (name, command.len()) {
        (b"GET", 2) => {
            let entries = store.read();
            reply.bounded(|reply| reply.optional_bulk(entries.get(first)));
        }
        (b"SET", 3..) => set(command, store, reply),
        (b"INCR", 2) => increment(first, 1, store, reply),
        (b"INCRBY", 3) => match number(command.get(2)) {
            Some(by) => increment(first, by, store, reply),
            None => no_number(reply),
        },
        (b"MGET", 2..) => {
            let entries = store.read();
            reply.bounded(|reply| {
                reply.array(command.len() - 1);
                command.from(1).for_each(|key| reply.optional_bulk(entries.get(key)));
            });
        }
        (b"MSET", 3..) if command.len() % 2 == 1 => {
            let pairs = command.from(1).step_by(2).zip(command.from(2).step_by(2));
            done(store.set_all(pairs), reply);
        }
        (b"DEL", 2..) => reply.integer(store.remove(command.from(1)) as i64),
        (b"EXISTS", 2..) => {
            let entries = store.read();
            reply.integer(command.from(1).filter(|key| entries.get(key).is_some()).count() as i64);
        }
        (b"DBSIZE", 1) => reply.integer(store.read().len() as i64),
        (b"PING", 1) => reply.status("PONG"),
        (b"PING" | b"ECHO", 2) => reply.bounded(|reply| reply.bulk(first)),
        (b"SELECT", 2) => match number(first) {
            Some(0) => reply.status("OK"),
            Some(_) => reply.error(format_args!("ERR DB index is out of range; 0 is the only one")),
            None => no_number(reply),
        },
        (b"HELLO", _) => client.hello(command, reply),
        (b"CLIENT", 2..) => client.client(command, reply),
        (b"INFO", _) => about::info(command, store, reply),
        (b"CONFIG", 2..) => about::config(command, reply),
        (b"COMMAND", _) => about::command(command, reply),
        (b"QUIT", _) => {
            reply.status("OK");
            return Ok(Flow::Close);
        }
        (b"POST" | b"HOST:", _) => return Err(HTTP),
        (name, _) if find(name).is_some() => wrong_number(command, 1, reply),
        _ => reply.error(format_args!("ERR unknown command '{}'", start(command.get(0)))),
    }
    Ok(Flow::Continue)
}

/// Writes the error for a wrong number of arguments of a command or subcommand.
pub(crate) fn wrong_number(command: Arguments<'_>, words: usize, reply: &mut Reply<'_>) {
    let name = command.get(0).to_ascii_lowercase();
    let subcommand = if words == 2 { command.get(1).to_ascii_lowercase() } else { Vec::new() };
    let bar = if words == 2 { "|" } else { "" };
    reply.error(format_args!(
        "ERR wrong number of arguments for '{}{bar}{}' command",
        name.escape_ascii(),
        subcommand.escape_ascii()
    ));
}

/// Writes the error for an unknown subcommand, with the known ones.
pub(crate) fn unknown_subcommand(command: Arguments<'_>, known: &str, reply: &mut Reply<'_>) {
    reply.error(format_args!("ERR unknown subcommand '{}'. Try {known}.", start(command.get(1))));
}

/// The beginning of a client's input, for an error.
fn start(name: &[u8]) -> std::slice::EscapeAscii<'_> {
    name[..name.len().min(LONGEST_ECHO)].escape_ascii()
}

fn set(command: Arguments<'_>, store: &Store, reply: &mut Reply<'_>) {
    let when = match command.get(3) {
        _ if command.len() == 3 => Some(When::Always),
        option if command.len() == 4 && option.eq_ignore_ascii_case(b"NX") => Some(When::Absent),
        option if command.len() == 4 && option.eq_ignore_ascii_case(b"XX") => Some(When::Present),
        _ => None,
    };
    let Some(when) = when else { return reply.error(format_args!("ERR syntax error")) };
    match store.set(command.get(1), command.get(2), when) {
        Ok(false) => reply.null(),
        result => done(result.map(drop), reply),
    }
}

fn increment(key: &[u8], by: i64, store: &Store, reply: &mut Reply<'_>) {
    let updated = store.update(key, |value| -> Result<_, &str> {
        let before = number(value.unwrap_or(b"0")).ok_or("value is not an integer or out of range")?;
        let after = before.checked_add(by).ok_or("increment or decrement would overflow")?;
        Ok((after, itoa::Buffer::new().format(after).into()))
    });
    match updated {
        Ok(Ok(number)) => reply.integer(number),
        Ok(Err(why)) => reply.error(format_args!("ERR {why}")),
        Err(full) => done(Err(full), reply),
    }
}

fn no_number(reply: &mut Reply<'_>) {
    reply.error(format_args!("ERR value is not an integer or out of range"));
}

fn done(result: Result<(), Full>, reply: &mut Reply<'_>) {
    match result {
        Ok(()) => reply.status("OK"),
        Err(Full) => reply.error(format_args!("OOM the store is full; remove keys")),
    }
}
