//! One run: the clients, the kernel, the server and the time, each of which does a step when the tape says so.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::Service;

use crate::book::Account;
use crate::client::{Client, Ending};
use crate::clock::VirtualClock;
use crate::core::Core;
use crate::kernel::{Kernel, SharedKernel, Wire, locked};
use crate::options::{Listener, Options};
use crate::panics::Captured;
use crate::preamble::{Number, Preambles, check_first_input};
use crate::protocol::SimApplication;
use crate::rate::Rate;
use crate::records::Records;
use crate::server::SimServer;
use crate::session::Shared;
use crate::tape::Tape;
use crate::trace::Trace;
use crate::words::counted;

/// A run.
pub(crate) struct World {
    pub(crate) trace: Trace,
    pub(crate) kernel: SharedKernel,
    pub(crate) shared: Arc<Shared>,
    pub(crate) engine: Engine,
    is_stopping: bool,
    pub(crate) clients: Vec<Client>,
    /// How many clients are still to connect.
    unconnected: usize,
    pub(crate) steps: u64,
}

/// What serves the clients.
pub(crate) enum Engine {
    Server(Box<SimServer>),
    Core(Box<Core>),
}

/// A step that something can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Connect,
    Worker,
    Job(usize),
    Maintenance,
    /// A connection of the core is driven.
    Drive(usize),
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

pub(crate) type Checked<T = ()> = Result<T, String>;

impl World {
    pub(crate) fn new(options: Options, tape: Tape, trace: Trace) -> Self {
        let clock = VirtualClock::new();
        let (faults, backlog, wires, too_slow) = (options.faults, Default::default(), Vec::new(), Vec::new());
        let kernel = Kernel { tape, clock: clock.clone(), faults, wires, backlog, too_slow };
        let kernel: SharedKernel = Arc::new(Mutex::new(kernel));
        let unconnected = options.behavior.clients;
        let shared = Arc::new(Shared::new(options, Arc::clone(&kernel), clock));
        let service = service(&shared);
        let engine = if shared.options.driving.is_core() {
            Engine::Core(Box::new(Core::new(&shared, service)))
        } else {
            Engine::Server(Box::new(SimServer::new(&shared, service)))
        };
        let clients = Vec::new();
        Self { trace, kernel, shared, engine, is_stopping: false, clients, unconnected, steps: 0 }
    }

    /// Whether the server goes on.
    pub(crate) fn is_running(&self) -> bool {
        match &self.engine {
            Engine::Server(server) => server.maintenance_at.is_some(),
            Engine::Core(core) => !core.has_ended(),
        }
    }

    /// The next step in the phase with faults.
    pub(crate) fn random_action(&mut self) -> Checked<Action> {
        let mut actions = Vec::with_capacity(16);
        self.runnable(&mut actions);
        let is_quiet = actions.is_empty();
        self.others(&mut actions);
        let Options { delay, stop, .. } = self.shared.options;
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
        Ok(action)
    }

    /// The next step in the last phase, in which everything ends.
    pub(crate) fn orderly_action(&mut self) -> Checked<Action> {
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
        Ok(match actions.len() {
            0 => Action::Wait,
            count => actions[self.steps as usize % count],
        })
    }

    fn check_quiescence(&self) -> Checked {
        match &self.engine {
            Engine::Server(server) => server.check_quiescence(),
            Engine::Core(core) => core.check_quiescence(),
        }
    }

    /// Whether all clients that end by themselves have ended.
    fn is_settled(&self) -> bool {
        let kernel = locked(&self.kernel);
        let is_over = |client: &Client| {
            let wire = &kernel.wires[client.wire];
            let has_read = client.read_end || client.read_reset || wire.client_closed;
            has_read || client.ending == Ending::Stay || wire.client_ended
        };
        // A client in the backlog is accepted, unless the server is full.
        let is_accepted = match &self.engine {
            Engine::Server(server) => server.is_full() || kernel.backlog.is_empty(),
            Engine::Core(_) => true,
        };
        is_accepted && self.clients.iter().all(is_over)
    }

    /// What the server can do now.
    fn runnable(&self, actions: &mut Vec<Action>) {
        match &self.engine {
            Engine::Server(server) => server.runnable(actions),
            Engine::Core(core) => actions.extend(core.runnable().into_iter().map(Action::Drive)),
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
        if self.shared.options.pushes && !locked(&self.shared.handles).is_empty() {
            actions.push(Action::Push);
        }
        actions.extend((0..locked(&self.shared.laters).len()).map(Action::Answer));
    }

    pub(crate) fn connect(&mut self) {
        self.unconnected -= 1;
        let wire = self.clients.len();
        let Options { send_capacity, receive_capacity, .. } = self.shared.options;
        let check = self.shared.options.limits.write_timeout / 8;
        let rate = Box::new(Rate::new(&self.shared.options.limits, self.shared.options.driving.lends()));
        let mut connected = Wire { send_capacity, receive_capacity, check, rate, ..Wire::default() };
        let is_listening = match &self.engine {
            Engine::Server(server) => server.worker.is_accepting(),
            Engine::Core(core) => !core.is_stopping(),
        };
        connected.aborted = !is_listening;
        let (client, messages) = {
            let kernel = &mut *locked(&self.kernel);
            kernel.wires.push(connected);
            Client::draw(wire, &self.shared.options, &mut kernel.tape)
        };
        let at = self.shared.clock.elapsed();
        self.trace.line(|| {
            let (messages, tail) = (counted(messages.len(), "message"), client.input.tail);
            format!("{at:?} client {wire} connects, with {messages}{tail}")
        });
        let account = Account::new(messages, client.input.clone(), self.shared.options.blocking);
        self.shared.book().clients.push(account);
        self.clients.push(client);
        match &mut self.engine {
            _ if !is_listening => {}
            Engine::Server(_) => locked(&self.kernel).backlog.push_back(wire),
            Engine::Core(core) => core.connect(wire),
        }
    }

    /// The server is asked to stop.
    pub(crate) fn stop(&mut self) {
        self.is_stopping = true;
        let is_now = locked(&self.kernel).tape.chance(64);
        let at = self.shared.clock.elapsed();
        self.trace.line(|| format!("{at:?} the server is asked to stop{}", if is_now { " now" } else { "" }));
        let timeout = if is_now { Duration::ZERO } else { self.shared.options.limits.drain_timeout };
        {
            let book = &mut *self.shared.book();
            book.cut_at = Some(book.cut_at.map_or(at + timeout, |cut_at| cut_at.min(at + timeout)));
        }
        match &mut self.engine {
            Engine::Server(server) => {
                if self.shared.options.listener == Listener::HandedOver {
                    server.stop.hand_over();
                }
                if is_now { server.stop.now() } else { server.stop.drain() }
            }
            Engine::Core(core) => core.stop(is_now),
        }
    }

    /// Time passes: to the next deadline or beyond, if the tape says so.
    pub(crate) fn wait(&mut self) {
        let now = self.shared.clock.elapsed();
        let at = match &self.engine {
            Engine::Server(server) => server.maintenance_at,
            Engine::Core(core) => core.next_at(),
        };
        let at = at.unwrap_or(now + Duration::from_secs(1));
        let jump = locked(&self.kernel).tape.below(32);
        let until_next = at.saturating_sub(now).max(Duration::from_micros(100));
        let time = match jump {
            0..24 => until_next,
            24..28 => until_next / 3,
            28..30 => until_next + Duration::from_millis(300),
            30 => until_next + Duration::from_secs(20),
            _ => until_next + Duration::from_secs(3600),
        };
        self.trace.line(|| format!("{now:?} {time:?} pass"));
        self.shared.clock.advance(time);
        if let Engine::Core(core) = &mut self.engine {
            core.follow_time();
        }
    }
}

/// The service that takes part.
fn service(shared: &Arc<Shared>) -> Service {
    let mut service = Service::new(Arc::new(SimApplication::new(Arc::clone(shared))));
    service = service.with_limits(shared.options.limits);
    service = service.with_shared_listener(shared.options.listener == Listener::Shared);
    if shared.options.transform {
        let captured = Captured(Arc::clone(shared));
        service = service.with_transform(move |client| Box::new(Records::new(&captured.0, client)));
    }
    if shared.options.check {
        let captured = Captured(Arc::clone(shared));
        service =
            service.with_first_input_check(move |peer, input| check_first_input(&captured.0, peer, input));
    }
    if shared.options.preamble != Preambles::None {
        let captured = Captured(Arc::clone(shared));
        service = service.with_preamble(move || Box::new(Number::new(&captured.0)));
    }
    service
}
