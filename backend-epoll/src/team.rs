//! The workers, as they know each other: who has how many clients, and how to reach them.

use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use common::{Bell, Conversation};

/// The workers, as they know each other.
pub(crate) struct Team {
    members: Vec<Member>,
    dismissed: AtomicBool,
}

/// A worker, as the others know it.
pub(crate) struct Member {
    /// Ends its wait: something has come for it, or the watchman has marked a client of its own.
    pub(crate) bell: Arc<Bell>,
    post: Mutex<Vec<Post>>,
    /// How many clients it has.
    clients: AtomicUsize,
}

/// What comes for a worker.
pub(crate) enum Post {
    /// A client that was let in.
    Client(TcpStream, Conversation),
    /// The conversation of this place, after a run where blocking is allowed.
    Back(usize, Conversation),
}

impl Team {
    pub(crate) fn new(count: usize) -> io::Result<Arc<Self>> {
        let member =
            |_| Ok(Member { bell: Bell::new()?, post: Mutex::default(), clients: AtomicUsize::new(0) });
        let members = (0..count).map(member).collect::<io::Result<_>>()?;
        Ok(Arc::new(Self { members, dismissed: AtomicBool::new(false) }))
    }

    pub(crate) fn member(&self, number: usize) -> &Member {
        &self.members[number]
    }

    /// Who is to have the next client: whoever has the fewest, the one who asks before the others, since a client
    /// that is handed over costs a wake-up.
    ///
    /// So the connections are spread evenly. With a listener for each worker (SO_REUSEPORT) the kernel would
    /// spread them by chance: of 64 over two workers, it left one with 39 or more in a tenth of the trials.
    pub(crate) fn next_for(&self, asking: usize) -> usize {
        let load = |number: &usize| self.members[*number].clients.load(Ordering::Relaxed);
        let others = (0..self.members.len()).filter(|&number| number != asking);
        let idlest = others.min_by_key(load).filter(|other| load(other) < load(&asking)).unwrap_or(asking);
        self.members[idlest].clients.fetch_add(1, Ordering::Relaxed);
        idlest
    }

    /// Ends the workers.
    pub(crate) fn dismiss(&self) {
        self.dismissed.store(true, Ordering::SeqCst);
        self.members.iter().for_each(|member| member.bell.ring());
    }

    pub(crate) fn is_dismissed(&self) -> bool {
        self.dismissed.load(Ordering::SeqCst)
    }
}

impl Member {
    pub(crate) fn send(&self, post: Post) {
        self.post.lock().unwrap_or_else(PoisonError::into_inner).push(post);
        self.bell.ring();
    }

    /// What has come. The bell is silenced first: what comes later rings it again.
    pub(crate) fn fetch(&self) -> Vec<Post> {
        self.bell.silence();
        std::mem::take(&mut *self.post.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A client has left it.
    pub(crate) fn left(&self) {
        self.clients.fetch_sub(1, Ordering::Relaxed);
    }
}
