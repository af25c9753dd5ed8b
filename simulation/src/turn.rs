//! The bounds of a turn: how many messages a connection answers or delivers in it, and how much output ends it.

use common::{TURN_MESSAGES, TURN_REPLIES};

use crate::book::Book;

/// What a client has had in this turn.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// How many messages were answered, of what was read until now: how many bytes in total.
    messages: usize,
    taken: usize,
    /// How many messages were delivered that were pushed.
    pushes: usize,
}

impl Book {
    /// The worker calls the connection of a client.
    pub(crate) fn begin_turn(&mut self, client: usize) {
        self.current = client;
        self.clients[client].turn = Turn::default();
    }

    /// The protocol is to process input. `taken` is how many bytes were read in total, and `unsent` how much output there is.
    pub(crate) fn check_turn(&mut self, client: usize, taken: usize, unsent: usize) {
        let turn = &mut self.clients[client].turn;
        if turn.taken != taken {
            // After a turn of kept input, input that has arrived may be read for another.
            (turn.messages, turn.taken) = (0, taken);
        }
        let goes_on = turn.messages == 0 || unsent < TURN_REPLIES;
        self.check(client, goes_on, || format!("its turn goes on after {unsent} bytes of replies"));
    }

    /// A message is answered.
    pub(crate) fn count_message(&mut self, client: usize) {
        let turn = &mut self.clients[client].turn;
        turn.messages += 1;
        let is_within = turn.messages <= TURN_MESSAGES;
        self.check(client, is_within, || "a turn has too many messages".into());
    }

    /// A message that was pushed is delivered.
    pub(crate) fn count_push(&mut self, client: usize, unsent: usize) {
        let turn = &mut self.clients[client].turn;
        turn.pushes += 1;
        let is_within = turn.pushes <= TURN_MESSAGES;
        self.check(client, is_within, || "a turn has too many pushed messages".into());
        self.check(client, unsent < TURN_REPLIES, || {
            format!("a push is delivered after {unsent} bytes of replies")
        });
    }
}
