//! Commands about the client: HELLO and CLIENT.

use crate::commands::{unknown_subcommand, wrong_number};
use crate::number::number;
use crate::reply::{Reply, Version};
use crate::request::Arguments;

/// The data of a client.
pub(crate) struct Client {
    /// Its number, unique within this server.
    id: i64,
    /// Its name; empty if it has set none.
    name: Box<[u8]>,
    pub(crate) version: Version,
}

/// The version of Redis whose replies these are.
pub(crate) const REDIS_VERSION: &str = "7.0.0";

/// The longest name of a client, in bytes: the server keeps it as long as the client stays.
const LONGEST_NAME: usize = 256;

impl Client {
    pub(crate) fn new(id: i64) -> Self {
        Self { id, name: Box::default(), version: Version::default() }
    }

    /// `HELLO [version [AUTH user password] [SETNAME name]]`.
    pub(crate) fn hello(&mut self, command: Arguments<'_>, reply: &mut Reply<'_>) {
        let version = match number(command.get(1)) {
            _ if command.len() == 1 => self.version,
            Some(2) => Version::Two,
            Some(3) => Version::Three,
            Some(_) => return reply.error(format_args!("NOPROTO unsupported protocol version; say 2 or 3")),
            None => {
                return reply.error(format_args!("ERR Protocol version is not an integer or out of range"));
            }
        };
        let mut options = command.from(2);
        let mut name = None;
        while let Some(option) = options.next() {
            if option.eq_ignore_ascii_case(b"AUTH") && options.len() >= 2 {
                // There is no password: any password is accepted for the default user.
                let user = options.next();
                options.next();
                if user != Some(b"default") {
                    return reply.error(format_args!("WRONGPASS there is no user but `default`"));
                }
            } else if option.eq_ignore_ascii_case(b"SETNAME") && options.len() >= 1 {
                name = options.next();
            } else {
                let option = option[..option.len().min(LONGEST_NAME)].escape_ascii();
                return reply.error(format_args!("ERR Syntax error in HELLO option '{option}'"));
            }
        }
        if let Some(name) = name
            && let Err(why) = self.set_name(name)
        {
            return reply.error(format_args!("ERR {why}"));
        }
        self.version = version;
        reply.speak(version);
        reply.map(7);
        for (key, value) in [("server", "redis"), ("version", REDIS_VERSION)] {
            reply.bulk(key.as_bytes());
            reply.bulk(value.as_bytes());
        }
        reply.bulk(b"proto");
        reply.integer(if version == Version::Two { 2 } else { 3 });
        reply.bulk(b"id");
        reply.integer(self.id);
        for (key, value) in [("mode", "standalone"), ("role", "master")] {
            reply.bulk(key.as_bytes());
            reply.bulk(value.as_bytes());
        }
        reply.bulk(b"modules");
        reply.array(0);
    }

    /// `CLIENT SETNAME name`, `CLIENT GETNAME`, `CLIENT ID` and `CLIENT SETINFO what value`.
    pub(crate) fn client(&mut self, command: Arguments<'_>, reply: &mut Reply<'_>) {
        let subcommand = command.get(1).to_ascii_uppercase();
        match (&*subcommand, command.len()) {
            (b"GETNAME", 2) => reply.optional_bulk(Some(&*self.name).filter(|name| !name.is_empty())),
            (b"ID", 2) => reply.integer(self.id),
            (b"SETNAME", 3) => done(self.set_name(command.get(2)), reply),
            (b"SETINFO", 4) => {
                let (what, value) = (command.get(2), command.get(3));
                if !what.eq_ignore_ascii_case(b"LIB-NAME") && !what.eq_ignore_ascii_case(b"LIB-VER") {
                    return reply.error(format_args!("ERR Unrecognized option; say LIB-NAME or LIB-VER"));
                }
                done(checked(value).map(drop), reply); // nobody asks for it
            }
            (b"GETNAME" | b"ID" | b"SETNAME" | b"SETINFO", _) => wrong_number(command, 2, reply),
            _ => unknown_subcommand(command, "GETNAME, ID, SETINFO or SETNAME", reply),
        }
    }

    fn set_name(&mut self, name: &[u8]) -> Result<(), &'static str> {
        self.name = checked(name)?.into();
        Ok(())
    }
}

/// Checks the name of a client: without spaces, and not too long.
fn checked(name: &[u8]) -> Result<&[u8], &'static str> {
    if name.len() > LONGEST_NAME {
        return Err("a client's name may be 256 bytes long; say a shorter one");
    }
    if !name.iter().all(u8::is_ascii_graphic) {
        return Err("Client names cannot contain spaces, newlines or special characters.");
    }
    Ok(name)
}

fn done(result: Result<(), &str>, reply: &mut Reply<'_>) {
    match result {
        Ok(()) => reply.status("OK"),
        Err(why) => reply.error(format_args!("ERR {why}")),
    }
}
