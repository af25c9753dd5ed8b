//! The core alone: several connections that share an outbox, driven in any order that is legal.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use common::{
    Address, Client, Clock, CloseReason, Connection, MAX_READ, Marks, Next, Outbox, Output, PushCounts,
    Record, Service,
};
use serving::Transport;

use crate::kernel::locked;
use crate::options::Driving;
use crate::session::Shared;
use crate::socket::SimSocket;
use crate::timing::{self, Waits};
use crate::world::Checked;

/// The connections of a run without a server.
pub(crate) struct Core {
    shared: Arc<Shared>,
    service: Arc<Service>,
    clock: Clock,
    outbox: Outbox,
    pub(crate) peers: Vec<Peer>,
    /// When all connections are cut, once a stop was requested.
    cut_at: Option<Duration>,
    is_cut: bool,
    memory_bound: usize,
}

/// A connection, with its end of the wire.
pub(crate) struct Peer {
    connection: Connection,
    record: Arc<Record>,
    socket: SimSocket,
    /// Output that is being written.
    lent: Option<Output>,
    /// How many bytes were received since the connection last asked for input.
    ahead: usize,
    /// What the connection asked for when it was driven last, and whether that would have blocked.
    next: Next,
    has_ended: bool,
}

/// The most operations of a connection in a row.
const MOST_OPERATIONS: usize = 6;

impl Core {
    pub(crate) fn new(shared: &Arc<Shared>, service: Service) -> Self {
        Self {
            memory_bound: service.memory_bound(),
            clock: shared.clock.clock(),
            shared: Arc::clone(shared),
            service: Arc::new(service),
            outbox: Outbox::new(),
            peers: Vec::new(),
            cut_at: None,
            is_cut: false,
        }
    }

    /// A client connects.
    pub(crate) fn connect(&mut self, wire: usize) {
        self.shared.book().current = wire;
        let record = Arc::new(Record::new(&self.service.limits, 0));
        let peer = Address::Ip(SocketAddr::from(([127, 0, 0, 1], wire as u16)));
        let client = Client::with_record(peer, wire as u64, Arc::clone(&record));
        let connection = Connection::new(Arc::clone(&self.service), client, self.clock.now());
        {
            let account = &mut self.shared.book().clients[wire];
            account.is_connected = true;
            account.timing.accepted = self.shared.clock.elapsed();
        }
        let socket = SimSocket { kernel: Arc::clone(&self.shared.kernel), wire };
        let (lent, ahead, next, has_ended) = (None, 0, Next::Run, false);
        self.peers.push(Peer { connection, record, socket, lent, ahead, next, has_ended });
    }

    /// Whether no client can connect any more.
    pub(crate) fn is_stopping(&self) -> bool {
        self.cut_at.is_some()
    }

    /// The server is asked to stop.
    pub(crate) fn stop(&mut self, now: bool) {
        let timeout = if now { Duration::ZERO } else { self.service.limits.drain_timeout };
        self.cut_at = Some(self.shared.clock.elapsed() + timeout);
        self.shared.begin_stop();
        self.peers.iter().for_each(|peer| peer.record.cell.mark(Marks::STOPPING));
    }

    /// The drain deadline may have passed.
    pub(crate) fn follow_time(&mut self) {
        let now = self.shared.clock.elapsed();
        if self.cut_at.is_some_and(|at| now >= at) && !std::mem::replace(&mut self.is_cut, true) {
            self.peers.iter().for_each(|peer| peer.record.cell.mark(Marks::CUT));
        }
    }

    /// The next time at which something is due.
    pub(crate) fn next_at(&self) -> Option<Duration> {
        let start = self.shared.clock.at(Duration::ZERO);
        let open = self.peers.iter().filter(|peer| !peer.has_ended);
        let deadlines = open.filter_map(|peer| peer.connection.deadline());
        let deadlines = deadlines.map(|at| at.saturating_duration_since(start));
        deadlines.chain(self.cut_at.filter(|_| !self.is_cut)).min()
    }

    /// Whether every connection has ended after a stop.
    pub(crate) fn has_ended(&self) -> bool {
        self.is_stopping() && self.peers.iter().all(|peer| peer.has_ended)
    }

    /// The connections that can do something.
    pub(crate) fn runnable(&self) -> Vec<usize> {
        let now = self.clock.now();
        let kernel = locked(&self.shared.kernel);
        let can = |peer: &Peer| {
            let wire = &kernel.wires[peer.socket.wire];
            let is_due = peer.connection.deadline().is_some_and(|deadline| now >= deadline);
            let could = match peer.next {
                Next::Run | Next::Done(_) => true,
                Next::Write => wire.is_writable(),
                Next::Read => wire.is_readable(),
                Next::Wait => false,
            };
            !peer.has_ended && (could || is_due || peer.record.cell.is_marked())
        };
        (0..self.peers.len()).filter(|&index| can(&self.peers[index])).collect()
    }

    /// Drives a connection for a few operations.
    pub(crate) fn drive(&mut self, index: usize) {
        let Self { shared, peers, outbox, clock, .. } = self;
        let peer = &mut peers[index];
        let client = peer.socket.wire;
        let operations = 1 + locked(&shared.kernel).tape.below(MOST_OPERATIONS);
        shared.book().begin_turn(client);
        let mut active = peer.connection.activate(outbox, clock);
        let mut socket = &peer.socket;
        let marks = peer.record.cell.take_marks();
        if shared.chance(shared.options.faults.lost) {
            shared.book().clients[client].was_lost = true;
            active.lost();
        }
        if marks.contains(Marks::STOPPING) {
            active.stop(socket.arrived());
        }
        active.expire(Transport::queued(&socket), socket.arrived()); // a deadline may have passed
        if marks.contains(Marks::NOTIFIED) {
            active.notified();
        }
        if marks.contains(Marks::CUT) {
            active.cut();
        }
        let lends = shared.options.driving == Driving::Lent;
        for operation in 0.. {
            let mut next = active.what_now();
            // What is to be written is written before others are served.
            if operation >= operations && (next != Next::Write || peer.lent.is_some()) {
                break;
            }
            shared.book().begin_turn(client);
            // Completions come in any order: input may arrive while output is lent.
            let may_receive = !matches!(next, Next::Done(_)) && !active.connection().is_behind();
            let is_asked = next == Next::Read;
            if lends && may_receive && shared.chance(shared.options.faults.late) {
                next = Next::Read;
            }
            let goes_on = match next {
                Next::Write if lends => {
                    if peer.lent.is_none() {
                        peer.lent = Some(active.lend(Vec::new()));
                        locked(&shared.kernel).wires[client].lend(shared.clock.elapsed());
                    }
                    let output = peer.lent.take().unwrap_or_default();
                    match socket.write(output.bytes()) {
                        Ok(count @ 1..) => {
                            active.returned(output, count);
                            true
                        }
                        Err(error) if error.kind() == ErrorKind::Interrupted => {
                            peer.lent = Some(output);
                            true
                        }
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {
                            peer.lent = Some(output);
                            active.blocked(Transport::queued(&socket));
                            false
                        }
                        Ok(0) | Err(_) => {
                            active.returned(output, 0);
                            active.lost();
                            true
                        }
                    }
                }
                Next::Write => match socket.write(active.output()) {
                    Ok(count @ 1..) => {
                        active.wrote(count);
                        true
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => true,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        active.blocked(Transport::queued(&socket));
                        false
                    }
                    Ok(0) | Err(_) => {
                        active.lost();
                        true
                    }
                },
                Next::Run => {
                    shared.pass_on(client);
                    shared.where_it_may_block(client, || active.run());
                    true
                }
                Next::Read => {
                    let mut input = vec![0; MAX_READ];
                    match socket.read(&mut input) {
                        Ok(0) => active.end_of_input(),
                        Ok(count) => {
                            peer.ahead = if is_asked { 0 } else { peer.ahead + count };
                            active.receive(&mut input[..count]);
                        }
                        Err(error)
                            if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
                        {
                            active.would_block(|| socket.arrived())
                        }
                        Err(_) => active.lost(),
                    }
                    true
                }
                Next::Wait | Next::Done(_) => false,
            };
            if !goes_on {
                break;
            }
        }
        peer.next = active.what_now();
        drop(active);
        if peer.next == Next::Run {
            shared.pass_on(client);
        }
        if let Next::Done(_) = peer.next {
            peer.has_ended = true;
            peer.lent = None;
            peer.connection.end();
            peer.record.cell.leave();
            peer.socket.close();
        }
    }

    /// Drives one of the connections, whether it can do something or not.
    pub(crate) fn drive_for_nothing(&mut self, choice: usize) {
        let open: Vec<_> = (0..self.peers.len()).filter(|&index| !self.peers[index].has_ended).collect();
        if let Some(&index) = open.get(choice) {
            self.drive(index);
        }
    }

    /// Checks what holds after every step.
    pub(crate) fn check(&self) -> Checked {
        let (book, kernel) = (self.shared.book(), locked(&self.shared.kernel));
        let mut counted = PushCounts::default();
        for peer in &self.peers {
            let counts = peer.record.cell.push_counts();
            counted.pushed += counts.pushed;
            counted.delivered += counts.delivered;
            counted.dropped += counts.dropped;
            counted.refused += counts.refused;
            let client = peer.socket.wire;
            if kernel.too_slow.contains(&client) && !matches!(peer.next, Next::Run | Next::Done(_)) {
                return Err(format!("client {client} receives too slowly, and its conversation goes on"));
            }
            let lent = peer.lent.as_ref().map_or(0, Output::capacity);
            let memory = peer.connection.memory() + lent + book.clients[client].mailbox.bytes;
            let bound = self.memory_bound + peer.ahead;
            if memory > bound {
                return Err(format!("client {client}: {memory} bytes exceed the bound of {bound}"));
            }
        }
        let totals = book.totals;
        let expected = [totals.pushed, totals.delivered, totals.dropped, totals.refused];
        if [counted.pushed, counted.delivered, counted.dropped, counted.refused] != expected {
            return Err(format!("pushes are {totals:?}, and the mailboxes count {counted:?}"));
        }
        Ok(())
    }

    /// Checks what holds when no connection can do anything.
    pub(crate) fn check_quiescence(&self) -> Checked {
        let (book, kernel) = (self.shared.book(), locked(&self.shared.kernel));
        let now = self.shared.clock.elapsed();
        for peer in self.peers.iter().filter(|peer| !peer.has_ended) {
            let client = peer.socket.wire;
            let waits = match peer.next {
                Next::Read => Waits::Input,
                Next::Write => Waits::Output,
                Next::Wait => Waits::Answer,
                Next::Run | Next::Done(_) => continue,
            };
            let account = &book.clients[client];
            if book.is_stopping && account.is_open && !account.is_told_of_stop && waits != Waits::Output {
                return Err(format!("client {client}: its session was not told that the server stops"));
            }
            let latest = timing::latest(waits, account, &kernel.wires[client], &book.limits);
            if let Some(latest) = latest
                && now > latest
            {
                return Err(format!(
                    "client {client} waits for {waits:?}, at {now:?} and not until {latest:?}"
                ));
            }
        }
        Ok(())
    }

    /// Checks what holds at the end.
    pub(crate) fn finish(&self) -> Checked {
        let messages: u64 = self.peers.iter().map(|peer| peer.connection.messages()).sum();
        let answered = self.shared.book().answered;
        if messages != answered {
            return Err(format!("{answered} messages were answered, and the connections count {messages}"));
        }
        Ok(())
    }

    /// Why the connections have ended that have.
    pub(crate) fn reasons(&self) -> Vec<CloseReason> {
        let ended = |peer: &Peer| if let Next::Done(why) = peer.next { Some(why) } else { None };
        self.peers.iter().filter_map(ended).collect()
    }
}
