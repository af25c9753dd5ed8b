//! Handlers that may block are called elsewhere.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use common::{Bell, Buffers, Wait};

use crate::worker::Client;

/// The clients that are away while their handlers may block, each on a thread that is made for that.
///
/// A pool would spare the making.
pub(crate) struct Crew {
    bell: Arc<Bell>,
    doing: Sender<Client>,
    done: Receiver<Client>,
    away: usize,
}

impl Crew {
    /// Nobody is away yet. `bell` rings when somebody has come back.
    pub(crate) fn new(bell: Arc<Bell>) -> Self {
        let (doing, done) = channel();
        Self { bell, doing, done, away: 0 }
    }

    /// Takes a client away, and has its handler called.
    pub(crate) fn run(&mut self, client: Client) {
        self.away += 1;
        // It is handed over when the thread is there: what a thread was to run is lost where there is none.
        let (give, taken) = channel();
        let (doing, bell) = (self.doing.clone(), Arc::clone(&self.bell));
        let thread = thread::Builder::new().name("poll-handler".into()).spawn(move || {
            taken.iter().for_each(|client| call(client, &doing, &bell));
        });
        match thread {
            Ok(_) => drop(give.send(client)),
            // Others had better wait than this client be lost.
            Err(_) => call(client, &self.doing, &self.bell),
        }
    }

    /// Those whose handlers have returned.
    pub(crate) fn come_back(&mut self) -> Vec<Client> {
        let back: Vec<_> = self.done.try_iter().collect();
        self.away -= back.len();
        back
    }

    /// Whether nobody is away.
    pub(crate) fn is_idle(&self) -> bool {
        self.away == 0
    }
}

/// Calls a client's handler, and sends the client back.
fn call(mut client: Client, doing: &Sender<Client>, bell: &Bell) {
    client.conversation.run(&mut Buffers::new());
    client.wait = Wait::Turn;
    // Its worker stays until everybody is back.
    let _ = doing.send(client);
    bell.ring();
}
