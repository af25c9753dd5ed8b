//! The workers of a server, where each has clients of its own: who has how many, and how to reach them.

use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::serving::{Bell, Conversation, Report, Server};

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
    fn new(count: usize) -> io::Result<Arc<Self>> {
        let member =
            |_| Ok(Member { bell: Bell::new()?, post: Mutex::default(), clients: AtomicUsize::new(0) });
        let members = (0..count).map(member).collect::<io::Result<_>>()?;
        Ok(Arc::new(Self { members, dismissed: AtomicBool::new(false) }))
    }

    /// Serves with so many workers, each on a thread that is named after the backend. They are made by `make` out of
    /// the team and their number, and the first of them with the `door`; they work until the team is dismissed, when
    /// the server has ended. Nobody waits for them: a handler may hold one.
    ///
    /// # Errors
    /// If a worker can't be made or started; or what has broken the listener.
    pub fn serve<D, W: Send + 'static>(
        server: Server,
        backend: &str,
        count: usize,
        door: D,
        make: fn(Arc<Self>, usize, Option<D>) -> io::Result<W>,
        work: fn(W),
    ) -> io::Result<Report> {
        let started = Self::new(count).and_then(|team| {
            let mut door = Some(door);
            let workers = (0..count).map(|number| make(Arc::clone(&team), number, door.take()));
            let workers = workers.collect::<io::Result<Vec<_>>>()?;
            let dismissal = Dismissal(team);
            for (number, worker) in (1..).zip(workers) {
                thread::Builder::new().name(format!("{backend}-{number}")).spawn(move || work(worker))?;
            }
            Ok(dismissal)
        });
        match started {
            Ok(_dismissal) => server.close_after_workers(),
            Err(error) => server.close(Err(error)),
        }
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

    fn dismiss(&self) {
        self.dismissed.store(true, Ordering::SeqCst);
        self.members.iter().for_each(|member| member.bell.ring());
    }

    /// Whether it has ended, so that its workers end as well.
    pub fn is_dismissed(&self) -> bool {
        self.dismissed.load(Ordering::SeqCst)
    }
}

/// Ends a team when it is dropped.
struct Dismissal(Arc<Team>);

impl Drop for Dismissal {
    fn drop(&mut self) {
        self.0.dismiss();
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
