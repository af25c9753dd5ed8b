//! A poll loop for each worker, level-triggered, which reads lines and answers them in batches.

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use slab::Slab;

use crate::line_client::{LineClient, READ, Wait};

/// A poller and its clients. The lock is the worker's all but always: only who hands it a client takes it else.
struct Worker {
    poller: OwnedFd,
    clients: Mutex<Slab<LineClient>>,
}

/// Accepts, and hands the clients to the workers in turn.
pub(crate) fn careful(listener: TcpListener, workers: usize) -> io::Result<()> {
    let workers: Vec<Arc<Worker>> =
        (0..workers.max(1)).map(|_| Worker::start()).collect::<io::Result<_>>()?;
    for worker in workers.iter().cycle() {
        let accepted = listener.accept();
        let _ = accepted.and_then(|(socket, _)| worker.add(LineClient::new(socket)?));
    }
    Ok(())
}

impl Worker {
    fn start() -> io::Result<Arc<Self>> {
        let poller = epoll::create(CreateFlags::CLOEXEC)?;
        let worker = Arc::new(Self { poller, clients: Mutex::new(Slab::new()) });
        let running = Arc::clone(&worker);
        thread::Builder::new().spawn(move || running.run())?;
        Ok(worker)
    }

    fn add(&self, client: LineClient) -> io::Result<()> {
        let mut clients = self.clients();
        let place = clients.vacant_entry();
        let data = EventData::new_u64(place.key() as u64);
        epoll::add(&self.poller, client.socket(), data, EventFlags::IN)?;
        place.insert(client);
        Ok(())
    }

    fn run(&self) -> io::Result<()> {
        let mut events = Vec::with_capacity(256);
        let mut buffer = vec![0; READ];
        loop {
            events.clear();
            match epoll::wait(&self.poller, spare_capacity(&mut events), None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let mut clients = self.clients();
            for event in &events {
                self.advance(&mut clients, *event, &mut buffer);
            }
        }
    }

    fn advance(&self, clients: &mut Slab<LineClient>, event: Event, buffer: &mut [u8]) {
        let Event { flags, data } = event;
        let place = data.u64() as usize;
        let Some(client) = clients.get_mut(place) else { return };
        let waited_to_write = flags.contains(EventFlags::OUT);
        let interest = match client.advance(buffer) {
            Wait::Readable => EventFlags::IN,
            Wait::Writable => EventFlags::OUT,
            // Closing the socket ends its registration.
            Wait::Over => return drop(clients.remove(place)),
        };
        let is_changed = waited_to_write != (interest == EventFlags::OUT);
        if is_changed && epoll::modify(&self.poller, client.socket(), data, interest).is_err() {
            clients.remove(place);
        }
    }

    fn clients(&self) -> MutexGuard<'_, Slab<LineClient>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
