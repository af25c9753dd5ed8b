//! The connections of a pool: at rest with the poller, ready in the queue, or at work with a job.

use std::collections::VecDeque;
use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::thread;
use std::time::Duration;

use common::{Buffers, Conversation, Wait};
use polling::{Event, Events, Poller};
use rayon::ThreadPool;
use slab::Slab;

/// The connections of a pool. One that rests is in its place, with its interest at the poller. One that is
/// ready stands in the queue, one that is at work is a job's; their places are empty, and an event or a
/// call that comes for them meanwhile is looked at when they go to rest.
pub(crate) struct Clients {
    pool: ThreadPool,
    poller: Poller,
    floor: Mutex<Floor>,
    dismissed: AtomicBool,
}

#[derive(Default)]
struct Floor {
    places: Slab<Option<Box<Client>>>,
    ready: VecDeque<Box<Client>>,
    /// How many jobs serve the queue, at most one on each worker.
    jobs: usize,
}

struct Client {
    place: usize,
    socket: TcpStream,
    conversation: Conversation,
}

impl Clients {
    pub(crate) fn new(pool: ThreadPool) -> io::Result<Self> {
        let (floor, dismissed) = Default::default();
        Ok(Self { pool, poller: Poller::new()?, floor, dismissed })
    }

    /// Takes a new client in.
    pub(crate) fn add(self: &Arc<Self>, socket: TcpStream, conversation: Conversation) {
        let place = self.floor().places.insert(None);
        conversation.register(&Waker::from(Arc::new(Caller { clients: Arc::clone(self), place })));
        if let Err(error) = socket.set_nonblocking(true).and_then(|()| self.watch(&socket, place)) {
            self.floor().places.remove(place);
            return conversation.refuse(socket, &error);
        }
        let mut floor = self.floor();
        floor.ready.push_back(Box::new(Client { place, socket, conversation }));
        self.start_jobs(floor);
    }

    /// Watches over those who rest, and has those served who become ready.
    pub(crate) fn poll(self: &Arc<Self>) {
        let mut events = Events::new();
        while !self.dismissed.load(Ordering::SeqCst) {
            events.clear();
            if let Err(error) = self.poller.wait(&mut events, None) {
                tracing::error!(%error, "the poller fails; it tries again");
                thread::sleep(Duration::from_millis(100));
            }
            let mut floor = self.floor();
            for event in events.iter() {
                floor.rouse(event.key);
            }
            self.start_jobs(floor);
        }
    }

    /// Ends the poller.
    pub(crate) fn dismiss(&self) {
        self.dismissed.store(true, Ordering::SeqCst);
        // Should it fail, the thread waits until the process ends, which hurts nobody.
        let _ = self.poller.notify();
    }

    /// Has as many jobs as can help serve the queue.
    fn start_jobs(self: &Arc<Self>, mut floor: MutexGuard<'_, Floor>) {
        let wanted = floor.ready.len().min(self.pool.current_num_threads() - floor.jobs);
        floor.jobs += wanted;
        drop(floor);
        for _ in 0..wanted {
            let clients = Arc::clone(self);
            self.pool.spawn(move || clients.serve_queue());
        }
    }

    /// A job: serves those who are ready, one after the other, until nobody is.
    ///
    /// The queue is one for all workers, so that whoever is ready first is served first, by whoever is free.
    /// (rayon's own `par_iter` over each batch was tried: while it waits for a stolen half, a worker begins
    /// other batches on top of its stack, without a bound.)
    fn serve_queue(&self) {
        let job = Job(self);
        let mut next = self.floor().next();
        while let Some(client) = next {
            next = self.serve(client);
        }
        std::mem::forget(job); // `next` has counted it off
    }

    /// Serves a client until it would have to wait, and fetches the next.
    fn serve(&self, mut client: Box<Client>) -> Option<Box<Client>> {
        let mut ran = false;
        loop {
            let Client { conversation, socket, place } = &mut *client;
            match Buffers::of_this_thread(|buffers| conversation.advance(socket, buffers)) {
                Wait::Readable => return self.rest(client, Event::readable),
                Wait::Writable => return self.rest(client, Event::writable),
                Wait::Blocking if !ran => {
                    ran = true;
                    Buffers::of_this_thread(|buffers| conversation.run(buffers));
                }
                Wait::Turn | Wait::Blocking => {
                    let mut floor = self.floor();
                    floor.ready.push_back(client);
                    return floor.next();
                }
                Wait::Over => {
                    // Before the socket is closed: its number may be another's at once.
                    let _ = self.poller.delete(&*socket);
                    self.floor().places.remove(*place);
                    let Client { conversation, socket, .. } = *client;
                    conversation.end(socket);
                    return self.floor().next();
                }
            }
        }
    }

    /// Lays a client to rest until its socket is ready, and fetches the next.
    fn rest(&self, mut client: Box<Client>, interest: fn(usize) -> Event) -> Option<Box<Client>> {
        // Under the lock, so that the client is found in its place when the event or a call comes.
        let mut floor = self.floor();
        if client.conversation.is_marked() {
            floor.ready.push_back(client);
        } else if self.poller.modify(&client.socket, interest(client.place)).is_err() {
            client.conversation.lose();
            floor.ready.push_back(client);
        } else {
            let place = client.place;
            floor.places[place] = Some(client);
        }
        floor.next()
    }

    #[expect(unsafe_code, reason = "polling can't tell that a socket outlives its registration")]
    fn watch(&self, socket: &TcpStream, place: usize) -> io::Result<()> {
        // SAFETY: `serve` deletes the socket before it is closed, and a client that is dropped with
        // `Clients` is dropped with the poller.
        unsafe { self.poller.add(socket, Event::none(place)) }
    }

    fn floor(&self) -> MutexGuard<'_, Floor> {
        self.floor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Floor {
    /// Puts the client in this place into the queue, if it rests there.
    fn rouse(&mut self, place: usize) {
        if let Some(client) = self.places.get_mut(place).and_then(Option::take) {
            self.ready.push_back(client);
        }
    }

    /// The next to be served by a job, which ends if there is none.
    fn next(&mut self) -> Option<Box<Client>> {
        let next = self.ready.pop_front();
        if next.is_none() {
            self.jobs -= 1;
        }
        next
    }
}

/// Counts a job off that has panicked, so that another can take its place.
struct Job<'a>(&'a Clients);

impl Drop for Job<'_> {
    fn drop(&mut self) {
        self.0.floor().jobs -= 1;
    }
}

/// The waker of a client.
struct Caller {
    clients: Arc<Clients>,
    place: usize,
}

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        let mut floor = self.clients.floor();
        floor.rouse(self.place);
        self.clients.start_jobs(floor);
    }
}
