//! One run: the clients, the kernel, the server and the time, each of which does a step when the tape says so.

use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use common::{Address, Service};
use serving::{ManualServer, Stop};

use crate::book::{Book, text};
use crate::checks::Summary;
use crate::client::{Client, Ending};
use crate::clock::VirtualClock;
use crate::kernel::{Kernel, SharedKernel, Wire, locked};
use crate::options::Options;
use crate::records::Records;
use crate::session::{Shared, SimHandler};
use crate::tape::Tape;
use crate::trace::Trace;
use crate::worker::{Flag, Worker};

/// A run.
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) trace: Trace,
    pub(crate) kernel: SharedKernel,
    pub(crate) shared: Arc<Shared>,
    pub(crate) server: ManualServer,
    stop: Stop,
    is_stopping: bool,
    pub(crate) worker: Worker,
    pub(crate) clients: Vec<Client>,
    /// How many clients are still to connect.
    unconnected: usize,
    /// Set when maintenance is to run earlier than it has said.
    maintenance_woken: Arc<Flag>,
    /// When maintenance runs next. `None` once it has ended.
    maintenance_at: Option<Duration>,
    /// When the deadlines were swept last, and when they are swept next.
    pub(crate) swept_at: Duration,
    sweep_at: Duration,
    pub(crate) memory_bound: usize,
    pub(crate) steps: u64,
}

/// A step that something can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Connect,
    Worker,
    Job(usize),
    Maintenance,
    Send(usize),
    End(usize),
    Read(usize),
    Arrive(usize),
    Deliver(usize),
    Answer(usize),
    Push,
    Spurious,
    Stop,
    Wait,
}

/// A run ends by itself long before.
const MAX_STEPS: u64 = 200_000;

pub(crate) type Checked<T = ()> = Result<T, String>;

impl World {
    pub(crate) fn new(mut tape: Tape, trace: Trace) -> Self {
        let options = Options::draw(&mut tape);
        let clock = VirtualClock::new();
        let (faults, backlog, wires) = (options.faults, Default::default(), Vec::new());
        let kernel: SharedKernel = Arc::new(Mutex::new(Kernel { tape, faults, wires, backlog }));
        let shared = Arc::new(Shared {
            book: Mutex::new(Book::default()),
            clock: clock.clone(),
            laters: Mutex::default(),
            handles: Mutex::default(),
            blocking: options.blocking,
            max_reply: options.limits.max_reply,
        });
        let handler = Arc::new(SimHandler(Arc::clone(&shared)));
        let mut service = Service::framed(handler, options.framing).with_limits(options.limits);
        if options.transform {
            service = service.with_transform(|_| Box::new(Records::default()));
        }
        let (stop, maintenance_woken) = (Stop::new(), Arc::new(Flag::default()));
        let waker = Waker::from(Arc::clone(&maintenance_woken));
        let memory_bound = service.memory_bound();
        let (server, acceptor) =
            ManualServer::new(Arc::new(service), &stop, clock.clock(), Address::Unix(None), waker);
        let sweep_at = server.sweep_interval();
        let worker = Worker::new(options.driving, Arc::clone(&kernel), clock, acceptor);
        Self {
            unconnected: options.behavior.clients,
            options,
            trace,
            kernel,
            shared,
            server,
            stop,
            is_stopping: false,
            worker,
            clients: Vec::new(),
            maintenance_woken,
            maintenance_at: Some(Duration::ZERO),
            swept_at: Duration::ZERO,
            sweep_at,
            memory_bound,
            steps: 0,
        }
    }

    /// Runs to the end.
    pub(crate) fn run(mut self) -> (Trace, Checked<Summary>) {
        let result = self.run_phases();
        if let Err(violation) = &result {
            self.trace.line(|| format!("VIOLATION: {violation}"));
        }
        (std::mem::take(&mut self.trace), result)
    }

    fn run_phases(&mut self) -> Checked<Summary> {
        while !locked(&self.kernel).tape.is_over() && self.maintenance_at.is_some() {
            self.random_step()?;
        }
        // No more faults occur, and everything ends.
        self.trace.line(|| "no more faults".into());
        for client in &mut self.clients {
            client.stalls = 0;
        }
        while self.maintenance_at.is_some() {
            self.orderly_step()?;
        }
        self.finish()
    }

    /// A step of the phase with faults.
    fn random_step(&mut self) -> Checked {
        let mut actions = Vec::with_capacity(16);
        self.runnable(&mut actions);
        let is_quiet = actions.is_empty();
        self.others(&mut actions);
        let (delay, stop) = (self.options.delay, self.options.stop);
        let action = {
            let kernel = &mut *locked(&self.kernel);
            if !self.is_stopping && kernel.tape.chance(stop) {
                Action::Stop
            } else if kernel.tape.chance(kernel.faults.spurious) {
                Action::Spurious
            } else if actions.is_empty() || (!is_quiet && kernel.tape.chance(delay)) {
                Action::Wait
            } else {
                kernel.tape.pick(&actions)
            }
        };
        if is_quiet {
            self.check_quiescence()?;
        }
        self.perform(action)
    }

    /// A step of the last phase.
    fn orderly_step(&mut self) -> Checked {
        let mut actions = Vec::with_capacity(16);
        self.runnable(&mut actions);
        if actions.is_empty() {
            self.check_quiescence()?;
            self.others(&mut actions);
            actions.retain(|action| *action != Action::Push);
        }
        if actions.is_empty() && !self.is_stopping && self.unconnected == 0 && self.is_settled() {
            actions.push(Action::Stop);
        }
        // In turn, so that nothing starves.
        let action = match actions.len() {
            0 => Action::Wait,
            count => actions[self.steps as usize % count],
        };
        self.perform(action)
    }

    /// Whether all clients that end by themselves have ended.
    fn is_settled(&self) -> bool {
        let kernel = locked(&self.kernel);
        let is_over = |client: &Client| {
            let wire = &kernel.wires[client.wire];
            let has_read = client.read_end || client.read_reset || wire.client_closed;
            has_read || client.ending == Ending::Stay || wire.client_ended
        };
        self.clients.iter().all(is_over)
    }

    /// What the server and the kernel can do now.
    fn runnable(&self, actions: &mut Vec<Action>) {
        if self.worker.is_runnable() {
            actions.extend([Action::Worker; 3]);
        }
        actions.extend((0..self.worker.jobs()).map(Action::Job));
        if self
            .maintenance_at
            .is_some_and(|at| self.maintenance_woken.is_set() || self.shared.clock.elapsed() >= at)
        {
            actions.push(Action::Maintenance);
        }
    }

    /// What the clients, the network and other threads can do.
    pub(crate) fn others(&self, actions: &mut Vec<Action>) {
        let kernel = locked(&self.kernel);
        if self.unconnected > 0 {
            actions.push(Action::Connect);
        }
        for (index, client) in self.clients.iter().enumerate() {
            let wire = &kernel.wires[client.wire];
            let could = [
                (client.can_send(wire), Action::Send(index)),
                (client.can_end(wire), Action::End(index)),
                (client.can_read(wire), Action::Read(index)),
                (wire.has_inbound(), Action::Arrive(index)),
                (wire.has_outbound(), Action::Deliver(index)),
            ];
            actions.extend(could.into_iter().filter_map(|(can, action)| can.then_some(action)));
        }
        if self.options.pushes && !locked(&self.shared.handles).is_empty() {
            actions.push(Action::Push);
        }
        let laters = locked(&self.shared.laters);
        let answerable = laters.iter().enumerate().filter(|(_, (client, _))| *client != usize::MAX);
        actions.extend(answerable.map(|(index, _)| Action::Answer(index)));
    }

    pub(crate) fn perform(&mut self, action: Action) -> Checked {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err("the run doesn't end: something spins".into());
        }
        let at = self.shared.clock.elapsed();
        match action {
            Action::Connect => self.connect(),
            Action::Worker => {
                self.trace.line(|| format!("{at:?} the worker runs"));
                self.worker.turn();
            }
            Action::Job(index) => {
                self.trace.line(|| format!("{at:?} a handler that may block runs"));
                self.worker.run_job(index);
            }
            Action::Maintenance => {
                self.maintenance_woken.take();
                let next = self.server.tick();
                self.trace.line(|| format!("{at:?} maintenance runs, and next in {next:?}"));
                self.maintenance_at = next.map(|next| at + next);
                if at >= self.sweep_at {
                    (self.swept_at, self.sweep_at) = (at, at + self.server.sweep_interval());
                }
            }
            Action::Send(index) => self.send(index),
            Action::End(index) => {
                let client = &mut self.clients[index];
                self.trace.line(|| format!("{at:?} client {index} ends: {:?}", client.ending));
                client.end(&mut locked(&self.kernel).wires[client.wire]);
            }
            Action::Read(index) => self.read(index)?,
            Action::Arrive(index) => {
                let kernel = &mut *locked(&self.kernel);
                let wire = &mut kernel.wires[index];
                let (count, _) = amount(&mut kernel.tape, wire.inbound.len() - wire.arrived);
                self.trace.line(|| format!("{at:?} {count} bytes of client {index} arrive"));
                wire.arrive(count);
            }
            Action::Deliver(index) => {
                let kernel = &mut *locked(&self.kernel);
                let wire = &mut kernel.wires[index];
                let (count, _) = amount(&mut kernel.tape, wire.outbound.len());
                self.trace.line(|| format!("{at:?} {count} bytes are delivered to client {index}"));
                wire.deliver(count);
            }
            Action::Answer(index) => self.answer(index),
            Action::Push => {
                let choice = locked(&self.kernel).tape.below(8);
                if let Some((to, handle)) = self.shared.handle(choice) {
                    self.trace.line(|| format!("{at:?} another thread pushes to client {to}"));
                    self.shared.push(to, &handle);
                }
            }
            Action::Spurious => {
                let choice = locked(&self.kernel).tape.below(8);
                self.trace.line(|| format!("{at:?} a wake-up without a reason"));
                self.worker.wake_for_nothing(choice);
            }
            Action::Stop => {
                self.is_stopping = true;
                let now = locked(&self.kernel).tape.chance(64);
                self.trace
                    .line(|| format!("{at:?} the server is asked to stop{}", if now { " now" } else { "" }));
                if now { self.stop.now() } else { self.stop.drain() }
            }
            Action::Wait => self.wait(),
        }
        self.check()
    }

    fn connect(&mut self) {
        self.unconnected -= 1;
        let kernel = &mut *locked(&self.kernel);
        let wire = kernel.wires.len();
        let (client, messages) = Client::draw(wire, &self.options, &mut kernel.tape);
        let at = self.shared.clock.elapsed();
        self.trace.line(|| format!("{at:?} client {wire} connects, with {} messages", messages.len()));
        let Options { send_capacity, receive_capacity, .. } = self.options;
        let mut connected = Wire { send_capacity, receive_capacity, ..Wire::default() };
        let is_stopped = self.worker.has_ended();
        connected.aborted = is_stopped; // nobody listens
        kernel.wires.push(connected);
        if !is_stopped {
            kernel.backlog.push_back(wire);
        }
        let account = crate::book::Account { messages, ..Default::default() };
        locked(&self.shared.book).clients.push(account);
        self.clients.push(client);
    }

    fn send(&mut self, index: usize) {
        let kernel = &mut *locked(&self.kernel);
        let (count, _) = amount(&mut kernel.tape, usize::from(u16::MAX));
        let client = &mut self.clients[index];
        let wire = &mut kernel.wires[client.wire];
        let whole = client.send(count, wire);
        if wire.urgent.is_none() && kernel.tape.chance(self.options.behavior.urgent) {
            wire.urgent = Some(wire.inbound.len());
        }
        let at = self.shared.clock.elapsed();
        self.trace
            .line(|| format!("{at:?} client {index} sends up to {count} bytes: {whole} messages in whole"));
        locked(&self.shared.book).clients[index].sent = whole;
    }

    fn read(&mut self, index: usize) -> Checked {
        let kernel = &mut *locked(&self.kernel);
        let client = &mut self.clients[index];
        if kernel.tape.chance(client.stalls) {
            return Ok(());
        }
        let wire = &mut kernel.wires[client.wire];
        let (count, _) = amount(&mut kernel.tape, wire.received.len());
        let frames = client.read(count, wire).map_err(|error| format!("client {index} received {error}"))?;
        let at = self.shared.clock.elapsed();
        self.trace.line(|| {
            let frames: Vec<_> = frames.iter().map(|frame| text(frame)).collect();
            format!("{at:?} client {index} reads {count} bytes: {}", frames.join(" "))
        });
        let mut book = locked(&self.shared.book);
        frames.into_iter().for_each(|frame| book.received(index, frame));
        Ok(())
    }

    fn answer(&mut self, index: usize) {
        let (client, later) = locked(&self.shared.laters).swap_remove(index);
        let choice = locked(&self.kernel).tape.below(8);
        let at = self.shared.clock.elapsed();
        self.trace.line(|| format!("{at:?} the answer to client {client} is given"));
        let (sent, answer) = match choice {
            7 => (later.reject("later"), "ERR later"),
            6 => (later.close("L"), "L"),
            _ => (later.send("L"), "L"),
        };
        if sent.is_ok() {
            locked(&self.shared.book).answered(client, answer.into());
        }
    }

    /// Time passes: to the next maintenance or beyond, if the tape says so.
    fn wait(&mut self) {
        let now = self.shared.clock.elapsed();
        let Some(at) = self.maintenance_at else { return };
        let jump = locked(&self.kernel).tape.below(16);
        let until_next = at.saturating_sub(now).max(Duration::from_micros(100));
        let time = match jump {
            0..12 => until_next,
            12..14 => until_next / 3,
            14 => until_next + Duration::from_millis(300),
            _ => until_next + Duration::from_secs(20),
        };
        self.trace.line(|| format!("{now:?} {time:?} pass"));
        self.shared.clock.advance(time);
    }
}

/// An amount of bytes of at most `all`: often all, and sometimes one.
fn amount(tape: &mut Tape, all: usize) -> (usize, bool) {
    let is_all = tape.is_over() || tape.chance(150);
    let count = if is_all { all } else { (1 + tape.below(all.clamp(1, 250))).min(all) };
    (count, is_all)
}
