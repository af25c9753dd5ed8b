//! The commands, as they are described to clients.

/// A command.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    /// Its arity: the number of words with its name; if negative, the minimum.
    pub(crate) arity: i64,
    pub(crate) flags: &'static [&'static str],
    /// Which words are keys: the first, the last (from the end if it is negative), and every how many.
    pub(crate) keys: [i64; 3],
    pub(crate) group: &'static str,
    /// The version of Redis that has had it first.
    pub(crate) since: &'static str,
    pub(crate) summary: &'static str,
}

/// The command of this name, case-insensitive.
pub(crate) fn find(name: &[u8]) -> Option<&'static Entry> {
    COMMANDS.iter().find(|entry| entry.name.as_bytes().eq_ignore_ascii_case(name))
}

/// The commands, by name.
pub(crate) const COMMANDS: [Entry; 18] = [
    entry("client", -2, &[], NONE, ("connection", "2.4.0"), "what the server knows of this client"),
    entry("command", -1, &["loading", "stale"], NONE, ("server", "2.8.13"), "the commands"),
    entry("config", -2, &[], NONE, ("server", "2.0.0"), "the server's settings"),
    entry("dbsize", 1, READS, NONE, ("server", "1.0.0"), "how many keys there are"),
    entry("del", -2, &["write"], ALL, ("generic", "1.0.0"), "removes keys, and says how many there were"),
    entry("echo", 2, ANY_TIME, NONE, ("connection", "1.0.0"), "says it back"),
    entry("exists", -2, READS, ALL, ("generic", "1.0.0"), "how many of these keys there are"),
    entry("get", 2, READS, ONE, ("string", "1.0.0"), "the value of a key"),
    entry("hello", -1, ALWAYS, NONE, ("connection", "6.0.0"), "agrees on the version of the protocol"),
    entry("incr", 2, COUNTS, ONE, ("string", "1.0.0"), "adds 1 to the number that is a key's value"),
    entry("incrby", 3, COUNTS, ONE, ("string", "1.0.0"), "adds to the number that is a key's value"),
    entry("info", -1, &["loading", "stale"], NONE, ("server", "1.0.0"), "about the server"),
    entry("mget", -2, READS, ALL, ("string", "1.0.0"), "the values of keys"),
    entry("mset", -3, WRITES, [1, -1, 2], ("string", "1.0.1"), "sets keys to values, all of them or none"),
    entry("ping", -1, &["fast"], NONE, ("connection", "1.0.0"), "whether the server answers"),
    entry("quit", -1, ALWAYS, NONE, ("connection", "1.0.0"), "ends the connection"),
    entry("select", 2, ANY_TIME, NONE, ("connection", "1.0.0"), "chooses a database; 0 is the only one"),
    entry("set", -3, WRITES, ONE, ("string", "1.0.0"), "sets a key to a value; with NX or XX on a condition"),
];

const READS: &[&str] = &["readonly", "fast"];
const WRITES: &[&str] = &["write", "denyoom"];
const COUNTS: &[&str] = &["write", "denyoom", "fast"];
const ANY_TIME: &[&str] = &["loading", "stale", "fast"];
const ALWAYS: &[&str] = &["noscript", "loading", "stale", "fast", "no_auth", "allow_busy"];

const NONE: [i64; 3] = [0, 0, 0];
const ONE: [i64; 3] = [1, 1, 1];
const ALL: [i64; 3] = [1, -1, 1];

const fn entry(
    name: &'static str,
    arity: i64,
    flags: &'static [&'static str],
    keys: [i64; 3],
    (group, since): (&'static str, &'static str),
    summary: &'static str,
) -> Entry {
    Entry { name, arity, flags, keys, group, since, summary }
}
