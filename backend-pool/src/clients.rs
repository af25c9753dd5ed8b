//! Serving the clients of a pool.

use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use common::{Bell, Buffers, Conversation, Wait};
use rayon::ThreadPool;

use crate::floor::{Client, Floor};
use crate::poller::{Event, Events, Interest, Poller, Until};

/// The clients of a pool. As long as a worker is free, a thread waits for those who become ready, and starts
/// jobs that serve them. While all workers are at work it sleeps: a job that has served everybody looks for
/// itself who is ready by now, so that a busy server hands nobody from thread to thread.
pub(crate) struct Clients {
    pool: ThreadPool,
    poller: Poller,
    /// Rings when the watchman has marked somebody: one for all, so that a client needs no waker of its own.
    bell: Arc<Bell>,
    floor: Mutex<Floor>,
    /// Told when a worker has become free.
    freed: Condvar,
    dismissed: AtomicBool,
}

impl Clients {
    pub(crate) fn new(pool: ThreadPool) -> io::Result<Self> {
        let bell = Bell::new()?;
        let poller = Poller::new(&bell)?;
        let (floor, freed, dismissed) = Default::default();
        Ok(Self { pool, poller, bell, floor, freed, dismissed })
    }

    /// Takes a new client in, of whom the poller tells at once.
    pub(crate) fn add(&self, socket: TcpStream, conversation: Conversation) {
        conversation.register(&self.bell.waker());
        let mut floor = self.floor();
        let Client { place, socket, .. } = floor.add(socket, conversation);
        let place = *place;
        if let Err(error) = self.poller.add(socket, place) {
            let client = floor.remove(place);
            drop(floor);
            if let Some(client) = client {
                client.conversation.refuse(client.socket, &error);
            }
        }
    }

    /// Watches over those who rest as long as a worker is free, and has those served who become ready.
    pub(crate) fn watch(self: &Arc<Self>) {
        let mut events = Events::new();
        while !self.is_dismissed() {
            let all_at_work = |floor: &mut Floor| floor.jobs == self.workers() && !self.is_dismissed();
            drop(self.freed.wait_while(self.floor(), all_at_work));
            if let Err(error) = self.poller.wait(&mut events, Until::Event) {
                tracing::error!(%error, "the poller fails; it tries again");
                thread::sleep(Duration::from_millis(100));
            }
            let mut floor = self.floor();
            self.rouse(&events, &mut floor);
            self.start_jobs(floor);
        }
    }

    /// Ends the watching.
    pub(crate) fn dismiss(&self) {
        self.dismissed.store(true, Ordering::SeqCst);
        self.bell.ring();
        drop(self.floor()); // a thread that is about to sleep does so before it is told
        self.freed.notify_one();
    }

    fn is_dismissed(&self) -> bool {
        self.dismissed.load(Ordering::SeqCst)
    }

    fn workers(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Puts those into the queue to whom something has happened, and begins a round.
    fn rouse(&self, events: &Events, floor: &mut Floor) {
        for event in events.iter() {
            match event {
                Event::Client { place, more_behind } => floor.rouse(place, more_behind),
                Event::Bell => {
                    self.bell.silence();
                    floor.rouse_marked();
                    if self.is_dismissed() {
                        self.bell.ring(); // it rang for the thread that watches
                    }
                }
            }
        }
        floor.begin_round();
    }

    /// Has as many jobs as can help serve the queue.
    fn start_jobs(self: &Arc<Self>, mut floor: MutexGuard<'_, Floor>) {
        let wanted = floor.ready().min(self.workers() - floor.jobs);
        floor.jobs += wanted;
        drop(floor);
        for _ in 0..wanted {
            let clients = Arc::clone(self);
            self.pool.spawn(move || clients.serve_queue());
        }
    }

    /// A job: serves those who are ready, one after the other, until nobody is. It looks for others after each
    /// round, so that those who always want another turn keep nobody out.
    ///
    /// The queue is one for all workers, so that whoever is ready first is served first, by whoever is free.
    /// (rayon's own `par_iter` over each batch was tried: while it waits for a stolen half, a worker begins
    /// other batches on top of its stack, without a bound.)
    fn serve_queue(self: Arc<Self>) {
        let _job = Job(&self);
        let mut events = Events::new();
        let mut next = self.floor().next();
        while let Some(client) = next.or_else(|| self.look(&mut events)) {
            next = self.serve(client);
        }
    }

    /// Looks who is ready by now, and has others help if there are many.
    fn look(self: &Arc<Self>, events: &mut Events) -> Option<Box<Client>> {
        // Should it fail, there are no events, and the thread that watches says so.
        let _ = self.poller.wait(events, Until::Now);
        let mut floor = self.floor();
        self.rouse(events, &mut floor);
        let next = floor.next();
        self.start_jobs(floor);
        next
    }

    /// Serves a client until it would have to wait, and fetches the next.
    fn serve(&self, mut client: Box<Client>) -> Option<Box<Client>> {
        let mut ran = false;
        loop {
            let Client { conversation, socket, place } = &mut *client;
            match Buffers::of_this_thread(|buffers| conversation.advance(socket, buffers)) {
                Wait::Readable => return self.rest(client, Interest::Input),
                Wait::Writable => return self.rest(client, Interest::Output),
                Wait::Wakeup => return self.rest(client, Interest::None),
                Wait::Blocking if !ran => {
                    ran = true;
                    Buffers::of_this_thread(|buffers| conversation.run(buffers));
                }
                Wait::Turn | Wait::Blocking => {
                    let mut floor = self.floor();
                    floor.queue(client);
                    return floor.next();
                }
                Wait::Over => {
                    // Before the socket is closed: its number may be another's at once.
                    self.poller.remove(socket);
                    self.floor().remove(*place);
                    let Client { conversation, socket, .. } = *client;
                    conversation.end(socket);
                    return self.floor().next();
                }
            }
        }
    }

    /// Lays a client to rest, and fetches the next.
    fn rest(&self, mut client: Box<Client>, interest: Interest) -> Option<Box<Client>> {
        let renewed = self.poller.renew(&client.socket, client.place, interest);
        let mut floor = self.floor();
        if renewed.is_ok() {
            floor.rest(client);
        } else {
            client.conversation.lose();
            floor.queue(client);
        }
        floor.next()
    }

    fn floor(&self) -> MutexGuard<'_, Floor> {
        self.floor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a job off, even if it has panicked, so that another can take its place.
struct Job<'a>(&'a Arc<Clients>);

impl Drop for Job<'_> {
    fn drop(&mut self) {
        let Self(clients) = self;
        let mut floor = clients.floor();
        let all_at_work = floor.jobs == clients.workers();
        floor.jobs -= 1;
        // Somebody may have become ready since the job has looked.
        clients.start_jobs(floor);
        if all_at_work {
            clients.freed.notify_one();
        }
    }
}
