//! What each command does.

use common::{Flow, Outbox};

use crate::reply::{array, bulk, error, integer, optional_bulk, status};
use crate::request::Arguments;
use crate::store::{Full, Store, When};

/// The longest name of a command.
const LONGEST_NAME: usize = 8;

/// So much of a name that nobody knows is said back.
const LONGEST_ECHO: usize = 32;

/// Carries a command out, and answers it.
pub(crate) fn carry_out(command: &Arguments<'_>, store: &Store, out: &mut Outbox) -> Flow {
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
        (b"GET", 2) => optional_bulk(out, store.read().get(first)),
        (b"SET", 3..) => set(command, store, out),
        (b"INCR", 2) => increment(first, store, out),
        (b"MGET", 2..) => {
            array(out, command.len() - 1);
            let entries = store.read();
            command.from(1).for_each(|key| optional_bulk(out, entries.get(key)));
        }
        (b"MSET", 3..) if command.len() % 2 == 1 => {
            let pairs = command.from(1).step_by(2).zip(command.from(2).step_by(2));
            done(store.set_all(pairs), out);
        }
        (b"DEL", 2..) => integer(out, store.remove(command.from(1)) as i64),
        (b"EXISTS", 2..) => {
            let entries = store.read();
            integer(out, command.from(1).filter(|key| entries.get(key).is_some()).count() as i64);
        }
        (b"DBSIZE", 1) => integer(out, store.read().len() as i64),
        (b"PING", 1) => status(out, "PONG"),
        (b"PING" | b"ECHO", 2) => bulk(out, first),
        (b"SELECT", 2) if first == b"0" => status(out, "OK"),
        (b"SELECT", 2) => error(out, format_args!("ERR DB index is out of range")),
        (b"QUIT", _) => {
            status(out, "OK");
            return Flow::Close;
        }
        // The tools ask these before they begin; that there is nothing to know satisfies them.
        (b"COMMAND", _) => array(out, 0),
        (b"CONFIG", 3) if first.eq_ignore_ascii_case(b"GET") => {
            array(out, 2);
            bulk(out, command.get(2));
            bulk(out, b"");
        }
        (b"HELLO", _) => error(out, format_args!("NOPROTO only version 2 of the protocol is spoken")),
        (name, _) if NAMES.contains(&name) => {
            let name = name.to_ascii_lowercase();
            error(out, format_args!("ERR wrong number of arguments for '{}' command", name.escape_ascii()));
        }
        _ => {
            let name = command.get(0);
            let name = &name[..name.len().min(LONGEST_ECHO)];
            error(out, format_args!("ERR unknown command '{}'", name.escape_ascii()));
        }
    }
    Flow::Continue
}

/// The commands that need so many arguments and no others.
const NAMES: [&[u8]; 12] = [
    b"GET", b"SET", b"INCR", b"MGET", b"MSET", b"DEL", b"EXISTS", b"DBSIZE", b"PING", b"ECHO", b"SELECT",
    b"CONFIG",
];

fn set(command: &Arguments<'_>, store: &Store, out: &mut Outbox) {
    let when = match command.get(3) {
        _ if command.len() == 3 => Some(When::Always),
        option if command.len() == 4 && option.eq_ignore_ascii_case(b"NX") => Some(When::Absent),
        option if command.len() == 4 && option.eq_ignore_ascii_case(b"XX") => Some(When::Present),
        _ => None,
    };
    let Some(when) = when else { return error(out, format_args!("ERR syntax error")) };
    match store.set(command.get(1), command.get(2), when) {
        Ok(false) => optional_bulk(out, None),
        result => done(result.map(drop), out),
    }
}

fn increment(key: &[u8], store: &Store, out: &mut Outbox) {
    let updated = store.update(key, |value| {
        let number: i64 = std::str::from_utf8(value.unwrap_or(b"0")).ok()?.parse().ok()?;
        let number = number.checked_add(1)?;
        Some((number, itoa::Buffer::new().format(number).into()))
    });
    match updated {
        Ok(Some(number)) => integer(out, number),
        Ok(None) => error(out, format_args!("ERR value is not an integer or out of range")),
        Err(full) => done(Err(full), out),
    }
}

fn done(result: Result<(), Full>, out: &mut Outbox) {
    match result {
        Ok(()) => status(out, "OK"),
        Err(Full) => error(out, format_args!("OOM the store is full")),
    }
}
