//! The connections of a pool: at rest with the poller, or at work with a job.

use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use common::{Buffers, Conversation, Wait};
use polling::{Event, Events, Poller};
use rayon::ThreadPool;
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use slab::Slab;

/// The connections of a pool. One that rests has its client in its place and its interest with the poller;
/// one that is at work has an empty place, and whatever comes for it meanwhile is looked at when it comes
/// back to rest.
pub(crate) struct Clients {
    pool: ThreadPool,
    poller: Poller,
    places: Mutex<Slab<Option<Box<Client>>>>,
    /// Places whose client is to be served though its socket is not ready: woken, or after others' turns.
    called: Mutex<Vec<usize>>,
    dismissed: AtomicBool,
}

struct Client {
    place: usize,
    socket: TcpStream,
    conversation: Conversation,
}

impl Clients {
    pub(crate) fn new(pool: ThreadPool) -> io::Result<Self> {
        let (places, called) = Default::default();
        Ok(Self { pool, poller: Poller::new()?, places, called, dismissed: AtomicBool::new(false) })
    }

    /// Takes a new client in.
    pub(crate) fn add(self: &Arc<Self>, socket: TcpStream, conversation: Conversation) {
        let place = locked(&self.places).insert(None);
        conversation.register(&Waker::from(Arc::new(Caller { clients: Arc::clone(self), place })));
        if let Err(error) = socket.set_nonblocking(true).and_then(|()| self.watch(&socket, place)) {
            locked(&self.places).remove(place);
            return conversation.refuse(socket, &error);
        }
        self.hand_over(vec![Box::new(Client { place, socket, conversation })]);
    }

    /// Watches over those who rest, and hands those who are ready to the pool.
    pub(crate) fn poll(self: &Arc<Self>) {
        let mut events = Events::new();
        while !self.dismissed.load(Ordering::SeqCst) {
            events.clear();
            if let Err(error) = self.poller.wait(&mut events, None) {
                tracing::error!(%error, "the poller fails");
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
            let called = std::mem::take(&mut *locked(&self.called));
            let mut places = locked(&self.places);
            let ready = events.iter().map(|event| event.key).chain(called);
            let ready: Vec<_> = ready.filter_map(|place| places.get_mut(place)?.take()).collect();
            drop(places);
            self.hand_over(ready);
        }
    }

    /// Ends the poller.
    pub(crate) fn dismiss(&self) {
        self.dismissed.store(true, Ordering::SeqCst);
        // Without this, the poller thread would stay until the process ends, which is no harm to anybody.
        let _ = self.poller.notify();
    }

    #[expect(clippy::vec_box, reason = "a client goes to and fro between its place and the jobs")]
    /// Gives these clients to the pool, to be shared out among its workers.
    fn hand_over(self: &Arc<Self>, ready: Vec<Box<Client>>) {
        if !ready.is_empty() {
            let clients = Arc::clone(self);
            self.pool.spawn(move || {
                ready.into_par_iter().with_max_len(1).for_each(|client| clients.serve(client));
            });
        }
    }

    /// Serves a client until it would have to wait, on a worker.
    fn serve(self: &Arc<Self>, mut client: Box<Client>) {
        let mut ran = false;
        loop {
            let Client { conversation, socket, .. } = &mut *client;
            match Buffers::of_this_thread(|buffers| conversation.advance(socket, buffers)) {
                Wait::Over => return self.end(*client),
                Wait::Readable => match self.rest(client, Event::readable) {
                    Some(marked) => client = marked,
                    None => return,
                },
                Wait::Writable => match self.rest(client, Event::writable) {
                    Some(marked) => client = marked,
                    None => return,
                },
                Wait::Blocking if !ran => {
                    ran = true;
                    Buffers::of_this_thread(|buffers| conversation.run(buffers));
                }
                // Not back into the pool, where a worker takes what it has put in itself before the rest.
                Wait::Turn | Wait::Blocking => {
                    let place = client.place;
                    locked(&self.places)[place] = Some(client);
                    return self.call(place);
                }
            }
        }
    }

    /// Lays a client to rest until its socket is ready; or hands it back if it was marked meanwhile.
    fn rest(&self, mut client: Box<Client>, interest: fn(usize) -> Event) -> Option<Box<Client>> {
        let place = client.place;
        // Under the lock, so that the poller finds the client in its place when the event or a call comes.
        let mut places = locked(&self.places);
        if client.conversation.is_marked() {
            return Some(client);
        }
        if self.poller.modify(&client.socket, interest(place)).is_err() {
            client.conversation.lose();
            return Some(client);
        }
        places[place] = Some(client);
        None
    }

    fn end(&self, client: Client) {
        let Client { place, socket, conversation } = client;
        // The socket is closed or handed on after this, so that its number can't be met in the poller.
        let _ = self.poller.delete(&socket);
        locked(&self.places).remove(place);
        conversation.end(socket);
    }

    /// Has the client in this place served after those who are ready.
    fn call(&self, place: usize) {
        locked(&self.called).push(place);
        let _ = self.poller.notify();
    }

    #[expect(unsafe_code, reason = "polling can't tell that a socket outlives its registration")]
    fn watch(&self, socket: &TcpStream, place: usize) -> io::Result<()> {
        // SAFETY: `end` deletes the socket before it closes it, and a client that is dropped with `Clients`
        // is dropped with the poller.
        unsafe { self.poller.add(socket, Event::none(place)) }
    }
}

/// The waker of a client.
struct Caller {
    clients: Arc<Clients>,
    place: usize,
}

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        self.clients.call(self.place);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
