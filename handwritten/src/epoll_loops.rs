//! A poll loop for each worker, level-triggered, which reads lines and answers them in batches.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use crate::line_client::{LineClient, READ, Wait};

/// A poller and its clients. The lock is almost always uncontended: besides the worker, only the accepting thread takes
/// it, to add a client.
struct Worker {
    poller: OwnedFd,
    /// By descriptor.
    clients: Mutex<Vec<Option<LineClient>>>,
}

/// Accepts connections, and assigns them to the workers in turn.
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
        let worker = Arc::new(Self { poller, clients: Mutex::new(Vec::new()) });
        let running = Arc::clone(&worker);
        thread::Builder::new().spawn(move || running.run())?;
        Ok(worker)
    }

    fn add(&self, client: LineClient) -> io::Result<()> {
        let place = client.socket().as_raw_fd() as usize;
        let mut clients = self.clients();
        epoll::add(&self.poller, client.socket(), EventData::new_u64(place as u64), EventFlags::IN)?;
        if clients.len() <= place {
            clients.resize_with(place + 1, || None);
        }
        clients[place] = Some(client);
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
                let Event { flags, data } = *event;
                self.advance(&mut clients[data.u64() as usize], flags, data, &mut buffer);
            }
        }
    }

    fn advance(&self, place: &mut Option<LineClient>, flags: EventFlags, data: EventData, buffer: &mut [u8]) {
        let Some(client) = place else { return };
        let waited_to_write = flags.contains(EventFlags::OUT);
        let interest = match client.advance(buffer) {
            Wait::Readable => EventFlags::IN,
            Wait::Writable => EventFlags::OUT,
            // Closing the socket removes its registration.
            Wait::Over => return *place = None,
        };
        let is_changed = waited_to_write != (interest == EventFlags::OUT);
        if is_changed && epoll::modify(&self.poller, client.socket(), data, interest).is_err() {
            *place = None;
        }
    }

    fn clients(&self) -> MutexGuard<'_, Vec<Option<LineClient>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
