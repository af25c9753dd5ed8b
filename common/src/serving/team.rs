//! The workers of a server, where each has clients of its own: who has how many, and how to reach them.

use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::serving::{Bell, Conversation};

/// The workers of a server, where each has clients of its own, as they know each other.
pub struct Team {
    members: Vec<Member>,
    dismissed: AtomicBool,
}

/// A worker, as the others know it.
pub struct Member {
    bell: Arc<Bell>,
    post: Mutex<Vec<Post>>,
    /// How many clients it has.
    clients: AtomicUsize,
}

/// What comes for a worker.
pub enum Post {
    /// A client that was let in.
    Client(TcpStream, Conversation),
    /// The conversation of this place, after a [run](Conversation::run) where blocking is allowed.
    Back(usize, Conversation),
}

impl Team {
    /// A team of so many workers.
    ///
    /// # Errors
    /// If the system has no descriptors left: each takes two.
    pub fn new(count: usize) -> io::Result<Arc<Self>> {
        let member =
            |_| Ok(Member { bell: Bell::new()?, post: Mutex::default(), clients: AtomicUsize::new(0) });
        let members = (0..count).map(member).collect::<io::Result<_>>()?;
        Ok(Arc::new(Self { members, dismissed: AtomicBool::new(false) }))
    }

    /// One of them.
    ///
    /// # Panics
    /// If it has fewer.
    pub fn member(&self, number: usize) -> &Member {
        &self.members[number]
    }

    /// Gives a client to whoever has the fewest: to the worker that gives it before the others, since a client that
    /// is handed over costs a wake-up. It is given back if it is that worker's own.
    ///
    /// So the connections are spread evenly. With a listener for each worker (SO_REUSEPORT) the kernel spreads them
    /// by chance: over two of them it left one with 39 or more of 64, and with 6 or more of 8, in a tenth of 300 trials.
    pub fn hand_out(
        &self,
        giver: usize,
        socket: TcpStream,
        conversation: Conversation,
    ) -> Option<(TcpStream, Conversation)> {
        let load = |number: &usize| self.members[*number].clients.load(Ordering::Relaxed);
        let others = (0..self.members.len()).filter(|&number| number != giver);
        let idlest = others.min_by_key(load).filter(|other| load(other) < load(&giver)).unwrap_or(giver);
        self.members[idlest].clients.fetch_add(1, Ordering::Relaxed);
        if idlest == giver {
            return Some((socket, conversation));
        }
        self.members[idlest].send(Post::Client(socket, conversation));
        None
    }

    /// Ends it, when the server has ended.
    pub fn dismiss(&self) {
        self.dismissed.store(true, Ordering::SeqCst);
        self.members.iter().for_each(|member| member.bell.ring());
    }

    /// Whether it has ended, so that its workers end as well.
    pub fn is_dismissed(&self) -> bool {
        self.dismissed.load(Ordering::SeqCst)
    }
}

impl Member {
    /// Ends its wait: something has come for it, or the watchman has marked a client of its own. One bell serves
    /// all of them, so that a client needs no waker of its own; the worker then looks who
    /// [is marked](Conversation::is_marked), which takes no longer than the watchman's own sweep, and comes no
    /// more often.
    pub fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }

    /// Sends it something.
    pub fn send(&self, post: Post) {
        self.post.lock().unwrap_or_else(PoisonError::into_inner).push(post);
        self.bell.ring();
    }

    /// Silences the bell, and fetches what has come.
    pub fn fetch(&self) -> Vec<Post> {
        self.bell.silence();
        std::mem::take(&mut *self.post.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A client has left it.
    pub fn left(&self) {
        self.clients.fetch_sub(1, Ordering::Relaxed);
    }
}
