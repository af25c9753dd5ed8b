//! A rayon pool: one poller hands it the clients that are ready, each for one turn.

use std::cell::RefCell;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use slab::Slab;

use crate::line_client::{LineClient, READ, Wait};

/// The clients, each in the place that its events name. Interest is for one event, so nobody else has a client
/// that is at work.
struct Clients {
    poller: OwnedFd,
    places: Mutex<Slab<Option<LineClient>>>,
}

/// Accepts; the poller has a thread of its own.
pub(crate) fn careful(listener: TcpListener, workers: usize) -> io::Result<()> {
    let pool = ThreadPoolBuilder::new().num_threads(workers.max(1)).build().map_err(io::Error::other)?;
    let poller = epoll::create(CreateFlags::CLOEXEC)?;
    let clients = Arc::new(Clients { poller, places: Mutex::new(Slab::new()) });
    let polled = Arc::clone(&clients);
    thread::Builder::new().spawn(move || polled.poll(&pool))?;
    loop {
        let accepted = listener.accept();
        let _ = accepted.and_then(|(socket, _)| clients.add(LineClient::new(socket)?));
    }
}

impl Clients {
    fn add(&self, client: LineClient) -> io::Result<()> {
        let mut places = self.places();
        let place = places.vacant_entry();
        let data = EventData::new_u64(place.key() as u64);
        epoll::add(&self.poller, client.socket(), data, EventFlags::IN | EventFlags::ONESHOT)?;
        place.insert(Some(client));
        Ok(())
    }

    fn poll(self: &Arc<Self>, pool: &ThreadPool) -> io::Result<()> {
        let mut events = Vec::with_capacity(256);
        loop {
            events.clear();
            match epoll::wait(&self.poller, spare_capacity(&mut events), None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let ready: Vec<(usize, LineClient)> = {
                let mut places = self.places();
                let keys = events.iter().map(|event| event.data.u64() as usize);
                keys.filter_map(|key| Some((key, places.get_mut(key)?.take()?))).collect()
            };
            // A job for each worker and not for each client: a job costs more than a turn's parsing.
            let each = ready.len().div_ceil(pool.current_num_threads()).max(1);
            let mut ready = ready.into_iter();
            while ready.len() > 0 {
                let batch: Vec<_> = ready.by_ref().take(each).collect();
                let clients = Arc::clone(self);
                pool.spawn(move || {
                    batch.into_iter().for_each(|(place, client)| clients.serve(place, client))
                });
            }
        }
    }

    /// Serves a client once, and gives it back to the poller.
    fn serve(&self, place: usize, mut client: LineClient) {
        thread_local!(static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]));
        let interest = match BUFFER.with_borrow_mut(|buffer| client.advance(buffer)) {
            Wait::Readable => EventFlags::IN,
            Wait::Writable => EventFlags::OUT,
            Wait::Over => return drop(self.places().remove(place)),
        };
        // Under the lock, so that the client is in its place when the event comes.
        let mut places = self.places();
        let data = EventData::new_u64(place as u64);
        if epoll::modify(&self.poller, client.socket(), data, interest | EventFlags::ONESHOT).is_ok() {
            places[place] = Some(client);
        } else {
            places.remove(place);
        }
    }

    fn places(&self) -> MutexGuard<'_, Slab<Option<LineClient>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
