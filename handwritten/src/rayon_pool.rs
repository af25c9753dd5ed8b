//! A rayon pool whose workers wait at one poller, edge-triggered: whoever is woken serves, and nothing is armed again.

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayon::ThreadPoolBuilder;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use slab::Slab;

use crate::line_client::{LineClient, READ, Wait};

/// The clients, each in the place that its events name. Two workers may be told of one client, so each has a lock.
struct Clients {
    poller: OwnedFd,
    places: Mutex<Slab<Arc<Mutex<LineClient>>>>,
}

/// Accepts; each worker of the pool has one job, which serves for good.
pub(crate) fn careful(listener: TcpListener, workers: usize) -> io::Result<()> {
    let pool = ThreadPoolBuilder::new().num_threads(workers.max(1)).build().map_err(io::Error::other)?;
    let poller = epoll::create(CreateFlags::CLOEXEC)?;
    let clients = Arc::new(Clients { poller, places: Mutex::new(Slab::new()) });
    let served = Arc::clone(&clients);
    pool.spawn_broadcast(move |_| served.serve().expect("the poller serves as long as the process lives"));
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
        epoll::add(&self.poller, client.socket(), data, EventFlags::IN | EventFlags::OUT | EventFlags::ET)?;
        place.insert(Arc::new(Mutex::new(client)));
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
                self.advance(event.data.u64() as usize, &mut buffer);
            }
        }
    }

    fn advance(&self, place: usize, buffer: &mut [u8]) {
        let Some(client) = self.places().get(place).map(Arc::clone) else { return };
        let wait = client.lock().unwrap_or_else(PoisonError::into_inner).advance_to_the_edge(buffer);
        if wait == Wait::Over {
            // Another worker may have seen the end as well, and somebody else may have the place already.
            let mut places = self.places();
            if places.get(place).is_some_and(|other| Arc::ptr_eq(other, &client)) {
                places.remove(place);
            }
        }
    }

    fn places(&self) -> MutexGuard<'_, Slab<Arc<Mutex<LineClient>>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
