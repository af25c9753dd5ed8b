//! The workers of a server, where each has clients of its own: who has how many, and how to reach them.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::thread;

use crate::{Bell, Conversation, Report, STACK_SIZE, Server, Socket};

/// The workers of a server, where each has clients of its own, as they know each other.
#[derive(Debug)]
pub struct Team {
    members: Vec<Arc<Member>>,
    dismissed: AtomicBool,
}

/// A worker, as the others know it.
#[derive(Debug)]
pub struct Member {
    bell: Arc<Bell>,
    /// What has come for it; `None` once it has ended.
    post: Mutex<Option<Vec<Post>>>,
    /// How many clients it has.
    clients: AtomicUsize,
}

/// What comes for a worker.
#[derive(Debug)]
pub enum Post {
    /// A client that was let in.
    Client(Socket, Conversation),
    /// The conversation of this place, after a [run](Conversation::run) where blocking is allowed.
    Back(usize, Conversation),
    /// The watchman has marked clients of this worker, or the acceptor. The worker looks who
    /// [is marked](Conversation::is_marked), which takes no longer than the watchman's own sweep, and comes no more
    /// often.
    Marks,
}

impl Team {
    fn new(count: usize) -> io::Result<Arc<Self>> {
        let members = (0..count).map(|_| Member::new()).collect::<io::Result<_>>()?;
        Ok(Arc::new(Self { members, dismissed: AtomicBool::new(false) }))
    }

    /// Serves with so many workers, each on a thread that is named after the backend. They are made by `make` out of
    /// the team and their number, and the first of them with the `door`; they work until the team is dismissed, when
    /// the server has ended. Nobody waits for them: a handler may hold one.
    ///
    /// # Errors
    /// If a worker can't be made or started; what has broken the listener; or how a worker has failed, which ends the
    /// server.
    pub fn serve<D, W: Send + 'static>(
        server: Server,
        backend: &str,
        count: usize,
        door: D,
        make: fn(Arc<Self>, usize, Option<D>) -> io::Result<W>,
        work: fn(W) -> io::Result<()>,
    ) -> io::Result<Report> {
        let failure = server.failure();
        let started = Self::new(count).and_then(|team| {
            let mut door = Some(door);
            let workers = (0..count).map(|number| make(Arc::clone(&team), number, door.take()));
            let workers = workers.collect::<io::Result<Vec<_>>>()?;
            let dismissal = Dismissal(Arc::clone(&team));
            for (number, worker) in workers.into_iter().enumerate() {
                let (member, failure) = (Arc::clone(&team.members[number]), failure.clone());
                let thread = thread::Builder::new().name(format!("{backend}-{}", number + 1));
                thread.stack_size(STACK_SIZE).spawn(move || {
                    failure.watch(|| work(worker));
                    member.leave();
                })?;
            }
            Ok(dismissal)
        });
        match started {
            Ok(_dismissal) => server.close(Ok(())),
            Err(error) => server.close(Err(error)),
        }
    }

    /// One of them.
    ///
    /// # Panics
    /// If it has fewer.
    pub fn member(&self, number: usize) -> &Arc<Member> {
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
        socket: Socket,
        conversation: Conversation,
    ) -> Option<(Socket, Conversation)> {
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
    fn new() -> io::Result<Arc<Self>> {
        let clients = AtomicUsize::new(0);
        Ok(Arc::new(Self { bell: Bell::new()?, post: Mutex::new(Some(Vec::new())), clients }))
    }

    /// Ends its wait, when it is rung: something has come for it, or the watchman has marked a client of its own.
    pub fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }

    /// The waker of all its clients and of an acceptor, so that none needs one of its own.
    pub fn waker(&self) -> Waker {
        self.bell.waker()
    }

    /// Sends it something. What comes for one that has ended is dropped.
    pub fn send(&self, post: Post) {
        let mut inbox = self.post.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(posts) = &mut *inbox else {
            drop(inbox);
            return drop(post);
        };
        posts.push(post);
        drop(inbox);
        self.bell.ring();
    }

    /// Silences the bell, and fetches what has come.
    pub fn fetch(&self) -> Vec<Post> {
        let marks = self.bell.silence().then_some(Post::Marks);
        let mut inbox = self.post.lock().unwrap_or_else(PoisonError::into_inner);
        let mut posts = inbox.as_mut().map(std::mem::take).unwrap_or_default();
        posts.extend(marks);
        posts
    }

    /// It has ended: nobody gives it a client any more.
    fn leave(&self) {
        self.clients.fetch_add(usize::MAX / 2, Ordering::Relaxed);
        let posts = self.post.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(posts);
    }

    /// A client has left it.
    pub fn left(&self) {
        self.clients.fetch_sub(1, Ordering::Relaxed);
    }
}
