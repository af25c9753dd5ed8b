//! The workers of a server, where each has clients of its own: who has how many, and how to reach them.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use common::WakeQueue;

use crate::{AcceptLoop, Acceptor, Conversation, Notifier, Report, STACK_SIZE, Server, Socket};

/// The workers of a server, where each has clients of its own.
#[derive(Debug)]
pub struct WorkerGroup {
    inboxes: Vec<Arc<Inbox>>,
    stopped: AtomicBool,
}

/// A worker's inbox: all that others have for it. What is put in wakes the worker, at a cost that doesn't depend on how many
/// clients it has.
#[derive(Debug)]
pub struct Inbox {
    notifier: Arc<Notifier>,
    /// The slots of its clients that were woken.
    woken: Arc<WakeQueue>,
    /// `None` once the worker has ended.
    items: Mutex<Option<Vec<Item>>>,
    /// How many clients it has.
    clients: AtomicUsize,
}

/// What comes for a worker.
#[derive(Debug)]
pub enum Item {
    /// A client that was accepted for it.
    Client(Socket, Conversation),
    /// The conversation of the client in this slot, after a [run](Conversation::run) where blocking is allowed.
    Returned(usize, Conversation),
    /// The client in this slot has [marks](common::Marks) to look at. It may have left meanwhile, and another may have the
    /// slot.
    Woken(usize),
    /// The [`Acceptor`] has something to do.
    Accept,
}

/// The acceptor's slot, which is no client's.
const ACCEPTOR: usize = u32::MAX as usize;

impl WorkerGroup {
    fn new(count: usize) -> io::Result<Arc<Self>> {
        let inboxes = (0..count).map(|_| Inbox::new()).collect::<io::Result<_>>()?;
        Ok(Arc::new(Self { inboxes, stopped: AtomicBool::new(false) }))
    }

    /// Serves with so many workers, each on a thread that is named after the backend. They are made by `make` out of
    /// the group and their number, and the first of them with the accept loop; they work until the group is stopped,
    /// when the server has ended. Nobody waits for them: a handler may hold one.
    ///
    /// # Errors
    /// If a worker can't be made or started; what has broken the listener; or how a worker has failed, which ends the
    /// server.
    pub fn serve<W: Send + 'static>(
        server: Server,
        backend: &str,
        count: usize,
        accept_loop: AcceptLoop,
        make: fn(Arc<Self>, usize, Option<AcceptLoop>) -> io::Result<W>,
        work: fn(W) -> io::Result<()>,
    ) -> io::Result<Report> {
        let failure = server.failure();
        let started = Self::new(count).and_then(|group| {
            let mut accept_loop = Some(accept_loop);
            let workers = (0..count).map(|number| make(Arc::clone(&group), number, accept_loop.take()));
            let workers = workers.collect::<io::Result<Vec<_>>>()?;
            let stop = StopOnDrop(Arc::clone(&group));
            for (number, worker) in workers.into_iter().enumerate() {
                let (inbox, failure) = (Arc::clone(group.inbox(number)), failure.clone());
                let thread = thread::Builder::new().name(format!("{backend}-{}", number + 1));
                thread.stack_size(STACK_SIZE).spawn(move || {
                    failure.watch(|| work(worker));
                    inbox.close();
                })?;
            }
            Ok(stop)
        });
        match started {
            Ok(_stop) => server.close(Ok(())),
            Err(error) => server.close(Err(error)),
        }
    }

    /// The inbox of the worker with this number.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn inbox(&self, number: usize) -> &Arc<Inbox> {
        &self.inboxes[number]
    }

    /// Assigns a client to the worker that has the fewest: to the one that accepts before the others, since to hand a client
    /// over costs a wake-up. It is returned if it is that worker's own.
    ///
    /// So the connections are spread evenly. With a listener for each worker (SO_REUSEPORT) the kernel spreads them
    /// by chance: over two of them it left one with 39 or more of 64, and with 6 or more of 8, in a tenth of 300 trials.
    pub fn assign(
        &self,
        accepting: usize,
        socket: Socket,
        conversation: Conversation,
    ) -> Option<(Socket, Conversation)> {
        let clients = |number: &usize| self.inboxes[*number].clients.load(Ordering::Relaxed);
        let others = (0..self.inboxes.len()).filter(|&number| number != accepting);
        let fewest = others.min_by_key(clients).filter(|other| clients(other) < clients(&accepting));
        let fewest = fewest.unwrap_or(accepting);
        self.inboxes[fewest].clients.fetch_add(1, Ordering::Relaxed);
        if fewest == accepting {
            return Some((socket, conversation));
        }
        self.inboxes[fewest].send(Item::Client(socket, conversation));
        None
    }

    /// Whether the server has ended, so that the workers end as well.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}

/// Stops a group when it is dropped.
struct StopOnDrop(Arc<WorkerGroup>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::SeqCst);
        self.0.inboxes.iter().for_each(|inbox| inbox.notifier.notify());
    }
}

impl Inbox {
    fn new() -> io::Result<Arc<Self>> {
        let notifier = Notifier::new()?;
        let woken = WakeQueue::new(notifier.waker());
        let (items, clients) = (Mutex::new(Some(Vec::new())), AtomicUsize::new(0));
        Ok(Arc::new(Self { notifier, woken, items, clients }))
    }

    /// Its descriptor can be read when something has come.
    pub fn notifier(&self) -> &Notifier {
        &self.notifier
    }

    /// Has the client in `slot` come [here](Item::Woken) when it has marks to look at.
    pub fn register(&self, conversation: &Conversation, slot: usize) {
        conversation.register_slot(&self.woken, slot);
    }

    /// Has the acceptor come [here](Item::Accept) when it has something to do.
    pub fn register_acceptor(&self, acceptor: &Acceptor) {
        acceptor.register_slot(&self.woken, ACCEPTOR);
    }

    /// Puts something in. What comes for a worker that has ended is dropped.
    pub fn send(&self, item: Item) {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = &mut *items else {
            drop(items);
            return drop(item);
        };
        open.push(item);
        drop(items);
        self.notifier.notify();
    }

    /// Takes out all that has come.
    pub fn receive(&self) -> Vec<Item> {
        self.notifier.clear();
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = items.as_mut().map(std::mem::take).unwrap_or_default();
        drop(items);
        all.extend(self.woken.take().map(|slot| match slot {
            ACCEPTOR => Item::Accept,
            slot => Item::Woken(slot),
        }));
        all
    }

    /// A client has left the worker.
    pub fn client_left(&self) {
        self.clients.fetch_sub(1, Ordering::Relaxed);
    }

    /// The worker has ended: no client is assigned to it any more.
    fn close(&self) {
        self.clients.fetch_add(usize::MAX / 2, Ordering::Relaxed);
        let items = self.items.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(items);
    }
}
