//! The backend under test: a thread for each connection, with or without a defect.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::Service;
use rustix::event::PollFlags;
use rustix::net::Shutdown;
use serving::{
    Accepting, Acceptor, Admission, Backend, BlockingHandlers, Buffers, Capabilities, Conversation,
    Interrupt, Listener, Notifier, Report, STACK_SIZE, Server, Stop, Transport, Urgency, Wait, Workers,
};
use socket2::SockRef;

use crate::defect::Defect;
use crate::socket::Socket;
use crate::{service, stop};

/// A thread for each connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain {
    defect: Option<Defect>,
}

impl Plain {
    /// Without a defect.
    pub(crate) fn correct() -> Self {
        Self { defect: None }
    }

    /// With this defect.
    pub(crate) fn with(defect: Defect) -> Self {
        Self { defect: Some(defect) }
    }

    fn has(self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }
}

impl Backend for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn capabilities(&self) -> Capabilities {
        let chosen = self.has(Defect::RejectsConfiguredWorkers) || self.has(Defect::IgnoresConfiguredWorkers);
        let workers = if chosen { Workers::Chosen } else { Workers::PerConnection };
        let model = "a thread for each connection";
        let capabilities = Capabilities::new(model, workers, BlockingHandlers::OwnThread);
        if self.has(Defect::ExceedsReportedMaxConnections) {
            capabilities.with_max_connections(2)
        } else {
            capabilities
        }
    }

    fn serve(&self, listener: Listener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        let (stop, _subscription) = stop::tamper(stop, self.defect);
        let service = Arc::new(service::tamper(&service, self.defect, &stop));
        let leaks = self.has(Defect::LeaksDescriptorsOnFailure) || self.has(Defect::LeaksDescriptorsOnStop);
        let leaked = leaks.then(|| listener.try_clone());
        let result = self.serve_correctly(listener, &service, &stop);
        match (&result, self.defect) {
            (Err(_), Some(Defect::LeaksDescriptorsOnFailure))
            | (Ok(_), Some(Defect::LeaksDescriptorsOnStop)) => std::mem::forget(leaked),
            (Err(_), Some(Defect::HidesFailures)) => return Ok(Report::default()),
            _ => {}
        }
        result
    }
}

impl Plain {
    /// Serves with a modified service and stop.
    fn serve_correctly(self, listener: Listener, service: &Arc<Service>, stop: &Stop) -> io::Result<Report> {
        // Uses the capabilities of the correct backend, whatever was reported.
        let write_timeout = service.limits.write_timeout;
        let (server, acceptor) = Server::open(&Self::correct(), &listener, Arc::clone(service), stop)?;
        let (threads, one, unsent) = Default::default();
        let stop = stop.clone();
        let shared = Arc::new(Shared { plain: self, write_timeout, stop, threads, one, unsent });
        let accepted = shared.accept(&listener, acceptor);
        shared.close_listener(listener);
        let mut report = server.close(accepted)?;
        if self.has(Defect::WaitsForHandlers) {
            shared.threads().drain(..).for_each(|thread| drop(thread.join()));
        }
        if self.has(Defect::MiscountsClients) {
            report.accepted += 1;
        }
        if self.has(Defect::MiscountsPushes) {
            report.pushed += 1;
        }
        Ok(report)
    }
}

/// The state that the threads of a server share.
struct Shared {
    plain: Plain,
    write_timeout: Duration,
    stop: Stop,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Held by the client that is served, if the defect is to serve one at a time, or until it waits.
    one: Mutex<()>,
    /// The unsent output of the last client, if the defect is to send it to the next one.
    unsent: Mutex<Vec<u8>>,
}

struct Client {
    socket: serving::Socket,
    conversation: Conversation,
}

impl Shared {
    fn has(&self, defect: Defect) -> bool {
        self.plain.has(defect)
    }

    fn accept(self: &Arc<Self>, listener: &Listener, mut acceptor: Acceptor) -> io::Result<()> {
        let notifier = Notifier::new()?;
        acceptor.register(&notifier.waker());
        loop {
            if self.has(Defect::DropsTheBacklog) && self.stop.urgency() > Urgency::None {
                return Ok(());
            }
            match acceptor.what_now() {
                Accepting::Stopped => return Ok(()),
                Accepting::Wait if !self.has(Defect::SpinsWithoutDescriptors) => notifier.wait()?,
                Accepting::Accept | Accepting::Wait => {
                    let accepted = listener.accept_blocking();
                    if self.has(Defect::EndsWithoutDescriptors)
                        && let Err(error) = &accepted
                        && error.kind() != io::ErrorKind::WouldBlock
                    {
                        return accepted.map(drop);
                    }
                    match acceptor.admit(accepted) {
                        Admission::Client(socket, conversation) => {
                            self.spawn(Client { socket, conversation })?;
                        }
                        Admission::None => {}
                        Admission::WouldBlock => notifier.wait_readable(listener)?,
                    }
                }
            }
        }
    }

    /// Starts the thread of a client. If that fails, the client is refused.
    fn spawn(self: &Arc<Self>, client: Client) -> io::Result<()> {
        let handover = Arc::new(Mutex::new(Some(client)));
        let (shared, taken) = (Arc::clone(self), Arc::clone(&handover));
        let stack_size = if self.has(Defect::SmallStacks) { 128 * 1024 } else { STACK_SIZE };
        let spawned = thread::Builder::new().stack_size(stack_size).spawn(move || {
            let client = taken.lock().unwrap_or_else(PoisonError::into_inner).take();
            drop(taken);
            if let Some(client) = client {
                shared.serve(client);
            }
        });
        match spawned {
            Ok(thread) => self.threads().push(thread),
            Err(error) if self.has(Defect::EndsWithoutThread) => return Err(error),
            Err(_) if self.has(Defect::DropsClientsWithoutThread) => {}
            Err(error) => {
                let client = handover.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(Client { socket, conversation }) = client {
                    conversation.refuse(socket, &error);
                }
            }
        }
        Ok(())
    }

    fn serve(&self, Client { socket, mut conversation }: Client) {
        let _guard = self.has(Defect::ServesOneClientAtATime).then(|| self.one.lock());
        if self.has(Defect::NoKeepalive) {
            SockRef::from(&socket).set_keepalive(false).expect("a socket without keepalive");
        }
        let interrupt = match Interrupt::of_this_thread() {
            Ok(interrupt) => interrupt,
            Err(error) => return conversation.refuse(socket, &error),
        };
        if !self.has(Defect::WakesNoThread) {
            conversation.register(&interrupt.waker());
        }
        let mut socket = Socket::new(socket, self.plain.defect, &interrupt);
        if self.has(Defect::SendsOutputToTheNextClient) {
            let _ = socket.write(&std::mem::take(&mut *self.unsent()));
        }
        let mut blocked = None;
        let mut buffers = Buffers::new();
        let mut served = None;
        loop {
            if self.has(Defect::ServesAClientUntilItWaits) {
                served.get_or_insert_with(|| self.one.lock());
            }
            let wait = conversation.advance(&mut socket, &mut buffers);
            if wait != Wait::Turn {
                served = None;
            }
            match wait {
                Wait::Readable => {
                    socket.wait(PollFlags::IN, || conversation.is_marked());
                    conversation.ready(false);
                    blocked = None;
                }
                Wait::Turn => blocked = None,
                Wait::Writable => {
                    let since = *blocked.get_or_insert_with(Instant::now);
                    if self.has(Defect::IgnoresWriteProgress) && since.elapsed() > self.write_timeout {
                        conversation.mark_lost();
                    }
                    socket.wait(PollFlags::OUT, || conversation.is_marked());
                    conversation.ready(false);
                }
                Wait::Wakeup if self.has(Defect::EndsWhilePending) && socket.has(PollFlags::RDHUP) => {
                    conversation.mark_lost();
                }
                Wait::Wakeup => {
                    socket.wait_for_wakeup(|| conversation.is_marked());
                    conversation.ready(true);
                }
                Wait::Blocking => {
                    let start = Instant::now();
                    conversation.run(&mut buffers);
                    if self.has(Defect::DropsClientsOfSlowHandlers)
                        && start.elapsed() > Duration::from_millis(100)
                    {
                        conversation.mark_lost();
                    }
                }
                Wait::Over => {
                    *self.unsent() = socket.unsent;
                    return self.end(socket.stream, conversation);
                }
            }
        }
    }

    fn end(&self, socket: serving::Socket, conversation: Conversation) {
        match self.plain.defect {
            Some(Defect::ClosesWithoutLingering) => {
                drop(socket);
                conversation.end(serving::Socket::from(UnixStream::pair().expect("sockets").0));
            }
            Some(Defect::LeaksConnections) => std::mem::forget(conversation),
            Some(Defect::FreesConnectionsLate) => {
                let _ = rustix::net::shutdown(&socket, Shutdown::Write);
                thread::sleep(Duration::from_millis(30));
                conversation.end(socket);
            }
            _ => conversation.end(socket),
        }
    }

    /// Closes the listener, or applies the defect.
    fn close_listener(&self, listener: Listener) {
        match self.plain.defect {
            Some(Defect::ShutsTheListenerDown) => {
                let _ = rustix::net::shutdown(&listener, Shutdown::Both);
            }
            Some(Defect::LeavesTheListenerOpen) => std::mem::forget(listener),
            Some(Defect::ServesNewClientsAfterStop) => {
                thread::spawn(move || greet(&listener));
            }
            _ => {}
        }
    }

    fn unsent(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn threads(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Greets all clients that connect within a second.
fn greet(listener: &Listener) {
    let end = Instant::now() + Duration::from_secs(1);
    while Instant::now() < end {
        if let Ok((client, _)) = listener.accept() {
            let _ = io::Write::write_all(&mut &client, b"hello\n");
        }
        thread::sleep(Duration::from_millis(1));
    }
}
