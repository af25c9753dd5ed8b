//! A member: the session of a client.

use std::str;
use std::sync::Arc;

use anyloop::{Client, CloseReason, Flow, Handle, Outcome, PublishError, Replies, Session};

use crate::directory::{Directory, Room};
use crate::name::Name;

/// A member of the chat.
pub(crate) struct Member {
    directory: Arc<Directory>,
    client: Handle,
    name: Name,
    /// Where the member is. `None` if the lobby was full.
    room: Option<Arc<Room>>,
    /// Whether messages have no line ends.
    framed: bool,
}

/// How much of an unknown command is returned in the error, in characters.
const MAX_SHOWN: usize = 20;

impl Member {
    /// Welcomes a client: gives it a name, and takes it to the lobby.
    pub(crate) fn welcome(directory: Arc<Directory>, client: &Client, out: &mut Replies<'_>) -> Self {
        let name = directory.take_guest_name();
        out.write(format_args!(
            "* you are {name}; /nick NAME, /join ROOM, /who and /quit are commands, any other line goes to the room"
        ));
        let mut member = Self { directory, client: client.handle(), name, room: None, framed: client.framed };
        member.enter(&Name::lobby(), out);
        member
    }

    fn carry_out(&mut self, command: &str, out: &mut Replies<'_>) -> Flow {
        let (word, argument) = command.split_once([' ', '\t']).unwrap_or((command, ""));
        match (word, argument.trim()) {
            ("/nick", name) => self.rename(name, out),
            ("/join", room) => self.join(room, out),
            ("/who", "") => self.list(out),
            ("/quit", "") => {
                out.send(b"* bye");
                return Flow::Close;
            }
            ("/who" | "/quit", _) => out.reject(format!("bad-command: write {word} alone")),
            _ => {
                let shown: String = word.chars().take(MAX_SHOWN).collect();
                out.reject(format!(
                    "unknown-command: {shown}; write /nick NAME, /join ROOM, /who or /quit, or a blank before the line"
                ));
            }
        }
        Flow::Continue
    }

    fn say(&self, text: &str, out: &mut Replies<'_>) {
        match &self.room {
            Some(room) => {
                report(room.tell_others(&self.client, format_args!("{}: {text}", self.name)), out);
            }
            None => out.reject("no-room: nobody hears it; write /join ROOM first"),
        }
    }

    fn rename(&mut self, name: &str, out: &mut Replies<'_>) {
        let name = match Name::parse(name) {
            Ok(name) if !name.is_guest() => name,
            Ok(_) => return out.reject("bad-name: only the server gives names that begin with guest-"),
            Err(why) => return out.reject(format!("bad-name: {why}")),
        };
        if !self.directory.rename(self.room.as_deref(), &self.name, &name) {
            return out.reject(format!("name-taken: {name}; choose another"));
        }
        let old = std::mem::replace(&mut self.name, name);
        out.write(format_args!("* you are now {}", self.name));
        if let Some(room) = &self.room {
            report(room.tell_others(&self.client, format_args!("* {old} is now {}", self.name)), out);
        }
        if old != self.name {
            self.directory.free_name(&old);
        }
    }

    fn join(&mut self, room: &str, out: &mut Replies<'_>) {
        match Name::parse(room) {
            Ok(name) if self.room.as_ref().is_some_and(|room| room.name == name) => {
                out.reject(format!("same-room: you are in {name}"));
            }
            Ok(name) => self.enter(&name, out),
            Err(why) => out.reject(format!("bad-room: {why}")),
        }
    }

    /// Leaves the room for another. If that one is full, the member stays.
    fn enter(&mut self, name: &Name, out: &mut Replies<'_>) {
        let (room, others) = match self.directory.enter(name, &self.name, &self.client) {
            Ok(entered) => entered,
            Err(full) => {
                return out.reject(format!(
                    "room-full: {name} max={}; write /join and another room",
                    full.max_members
                ));
            }
        };
        self.leave("");
        let here = self.directory.here();
        match others.count {
            0 => out.write(format_args!("* you are in {}, alone{here}", room.name)),
            _ => out.write(format_args!("* you are in {} with {others}{here}", room.name)),
        }
        report(room.tell_others(&self.client, format_args!("* {} has joined", self.name)), out);
        self.room = Some(room);
    }

    /// Leaves the room, if the member is in one. The others are told why.
    fn leave(&mut self, why: &str) {
        if let Some(room) = self.room.take() {
            self.directory.leave(&room, &self.name, &self.client);
            // The client can't be told of an error: it has left, or will be told of the same one by the next room.
            let _ = room.tell_others(&self.client, format_args!("* {} has left{why}", self.name));
        }
    }

    fn list(&self, out: &mut Replies<'_>) {
        match &self.room {
            Some(room) => {
                let (here, members) = (self.directory.here(), self.directory.members(room));
                out.write(format_args!("* in {}{here}: {members}", room.name));
            }
            None => out.send(b"* you are in no room"),
        }
    }
}

/// Reports that members in other processes were not told.
fn report(told: Result<(), PublishError>, out: &mut Replies<'_>) {
    if let Err(error) = told {
        out.reject(format!("not-exchanged: {error}"));
    }
}

impl Session for Member {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        let Ok(line) = str::from_utf8(message) else {
            out.reject("not-utf8");
            return Flow::Continue;
        };
        let line = if self.framed { line } else { line.trim_end_matches(['\r', '\n']) };
        // They could change the terminals of the others.
        if line.contains(|character: char| character.is_control() && character != '\t') {
            out.reject("control-character: a line is text without them");
        } else if line.trim().is_empty() {
            out.reject("empty-line: write something, or /quit to leave");
        } else if line.starts_with('/') {
            return self.carry_out(line, out);
        } else {
            self.say(line, out);
        }
        Flow::Continue
    }

    fn notified(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        if let Some(line) = self.room.as_ref().and_then(|room| room.line(message)) {
            out.send(line);
        }
        Flow::Continue
    }

    fn missed(&mut self, count: u64, out: &mut Replies<'_>) -> Flow {
        let lines = if count == 1 { "line" } else { "lines" };
        out.write(format_args!("* you have missed {count} {lines}"));
        Flow::Continue
    }

    fn stopping(&mut self, out: &mut Replies<'_>) -> Flow {
        out.send(b"* the server is stopping");
        Flow::Continue
    }

    fn closed(&mut self, why: CloseReason) {
        match why.outcome() {
            Outcome::Finished | Outcome::Drained => self.leave(""),
            _ => self.leave(&format!(" ({})", why.name().replace('_', " "))),
        }
        self.directory.free_name(&self.name);
    }
}
