//! A rayon pool whose workers wait at one edge-triggered poller: the worker that is woken serves the client, and no
//! interest is re-armed.
//!
//! No event is lost. The poller reports each edge to one worker, which then takes the client's lock, however long
//! another one holds it. Under the lock it reads and writes until there is nothing left to read or no room to write,
//! and only another edge changes that. So the last edge is always followed by a complete advance. Edges that are merged
//! into one event, and events without anything left to do, need no special case: an advance doesn't depend on the
//! event, except for the end of a client's input, which `RDHUP` reports in every event from then on.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayon::ThreadPoolBuilder;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use crate::line_client::{LineClient, READ, Wait};

/// A client. Two workers may get events for it at once, so it has a lock.
type Client = Arc<Mutex<LineClient>>;

struct Clients {
    poller: OwnedFd,
    /// By descriptor. While a worker holds a client, its descriptor is open and therefore not reused.
    places: Mutex<Vec<Option<Client>>>,
}

/// Accepts connections; each worker of the pool runs one job that serves for ever.
pub(crate) fn careful(listener: TcpListener, workers: usize) -> io::Result<()> {
    let pool = ThreadPoolBuilder::new().num_threads(workers.max(1)).build().map_err(io::Error::other)?;
    let poller = epoll::create(CreateFlags::CLOEXEC)?;
    let clients = Arc::new(Clients { poller, places: Mutex::new(Vec::new()) });
    let served = Arc::clone(&clients);
    pool.spawn_broadcast(move |_| served.serve().expect("the poller works until the process ends"));
    loop {
        let accepted = listener.accept();
        let _ = accepted.and_then(|(socket, _)| clients.add(LineClient::new(socket)?));
    }
}

impl Clients {
    fn add(&self, client: LineClient) -> io::Result<()> {
        let place = client.socket().as_raw_fd() as usize;
        let data = EventData::new_u64(place as u64);
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        // A worker that gets an event before the client is stored waits for the lock.
        let mut places = self.places();
        epoll::add(&self.poller, client.socket(), data, flags)?;
        if places.len() <= place {
            places.resize_with(place + 1, || None);
        }
        places[place] = Some(Arc::new(Mutex::new(client)));
        Ok(())
    }

    fn serve(&self) -> io::Result<()> {
        let mut events = Vec::with_capacity(256);
        let mut buffer = vec![0; READ];
        loop {
            events.clear();
            match epoll::wait(&self.poller, spare_capacity(&mut events), None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                self.advance(*event, &mut buffer);
            }
        }
    }

    fn advance(&self, event: Event, buffer: &mut [u8]) {
        let Event { flags, data } = event;
        let place = data.u64() as usize;
        let Some(client) = self.places()[place].clone() else { return };
        let ended = flags.contains(EventFlags::RDHUP);
        let wait = client.lock().unwrap_or_else(PoisonError::into_inner).advance_to_the_edge(buffer, ended);
        if wait == Wait::Over {
            // The socket is closed when no other worker holds the client.
            self.places()[place] = None;
        }
    }

    fn places(&self) -> MutexGuard<'_, Vec<Option<Client>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
