//! The steps of a run, from its beginning to its end.

use common::{Answer, canary};

use crate::book::text;
use crate::kernel::locked;
use crate::tape::Tape;
use crate::words::counted;
use crate::world::{Action, Checked, Engine, World};

/// A run ends by itself long before.
const MAX_STEPS: u64 = 200_000;

impl World {
    /// Runs until the server has ended.
    pub(crate) fn run(&mut self) -> Checked {
        while !locked(&self.kernel).tape.is_over() && self.is_running() {
            let action = self.random_action()?;
            self.perform(action)?;
        }
        let at = self.shared.clock.elapsed();
        self.trace.line(|| format!("no more faults from {at:?} on"));
        for client in &mut self.clients {
            client.stalls = 0;
        }
        while self.is_running() {
            let action = self.orderly_action()?;
            self.perform(action)?;
        }
        self.drain_clients()
    }

    /// The clients read what has arrived after the server has ended.
    fn drain_clients(&mut self) -> Checked {
        loop {
            let mut actions = Vec::new();
            self.others(&mut actions);
            actions.retain(|action| matches!(action, Action::Read(_) | Action::Deliver(_)));
            let Some(&action) = actions.first() else { return Ok(()) };
            self.perform(action)?;
        }
    }

    /// Does a step, and checks what holds after it.
    fn perform(&mut self, action: Action) -> Checked {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err("the run doesn't end: something spins".into());
        }
        if self.steps > 9 && canary!("panics in a step") {
            panic!("with {} clients", self.shared.options.behavior.clients);
        }
        if self.steps > 9 && canary!("never ends a step") {
            loop {
                std::thread::yield_now();
            }
        }
        let at = self.shared.clock.elapsed();
        match action {
            Action::Connect => self.connect(),
            Action::Send(index) => self.send(index),
            Action::End(index) => {
                let client = &mut self.clients[index];
                self.trace.line(|| format!("{at:?} client {index} {}", client.ending));
                client.end(&mut locked(&self.kernel).wires[client.wire]);
            }
            Action::Read(index) => self.read(index)?,
            Action::Arrive(index) => {
                let kernel = &mut *locked(&self.kernel);
                let wire = &mut kernel.wires[index];
                let count = amount(&mut kernel.tape, wire.inbound.len() - wire.arrived);
                self.trace.line(|| {
                    let (bytes, ending) = (counted(count, "byte"), if count == 1 { "s" } else { "" });
                    format!("{at:?} {bytes} of client {index} arrive{ending}")
                });
                wire.arrive(count, at);
            }
            Action::Deliver(index) => {
                let kernel = &mut *locked(&self.kernel);
                let wire = &mut kernel.wires[index];
                let count = amount(&mut kernel.tape, wire.outbound.len());
                self.trace.line(|| {
                    let (bytes, verb) = (counted(count, "byte"), if count == 1 { "is" } else { "are" });
                    format!("{at:?} {bytes} {verb} delivered to client {index}")
                });
                wire.deliver(count, at);
            }
            Action::Answer(index) => self.answer(index),
            Action::Push => {
                let choice = locked(&self.kernel).tape.below(8);
                if let Some((to, handle)) = self.shared.handle(choice) {
                    self.trace.line(|| format!("{at:?} another thread pushes to client {to}"));
                    self.shared.push(to, &handle);
                }
            }
            Action::Stop => self.stop(),
            Action::Wait => self.wait(),
            Action::Worker | Action::Job(_) | Action::Maintenance | Action::Drive(_) | Action::Spurious => {
                self.serve(action);
            }
        }
        if let Some(violation) = self.shared.book().violation.take() {
            return Err(violation);
        }
        match &mut self.engine {
            Engine::Server(server) => server.check(),
            Engine::Core(core) => core.check(),
        }
    }

    /// The server does something.
    fn serve(&mut self, action: Action) {
        let at = self.shared.clock.elapsed();
        match (&mut self.engine, action) {
            (Engine::Server(server), Action::Worker) => {
                self.trace.line(|| format!("{at:?} the worker runs"));
                server.worker.turn();
            }
            (Engine::Server(server), Action::Job(index)) => {
                self.trace.line(|| format!("{at:?} a handler that may block runs"));
                server.worker.run_job(index);
            }
            (Engine::Server(server), Action::Maintenance) => {
                let next = server.maintain();
                self.trace.line(|| {
                    let next = next.map_or("not again".into(), |next| format!("next in {next:?}"));
                    format!("{at:?} maintenance runs, and {next}")
                });
            }
            (Engine::Server(server), _) => {
                let choice = locked(&self.kernel).tape.below(8);
                self.trace.line(|| format!("{at:?} a wake-up without a reason"));
                server.worker.wake_for_nothing(choice);
            }
            (Engine::Core(core), Action::Drive(index)) => {
                self.trace.line(|| format!("{at:?} the connection of client {index} is driven"));
                core.drive(index);
            }
            (Engine::Core(core), _) => {
                let choice = locked(&self.kernel).tape.below(8);
                self.trace.line(|| format!("{at:?} a connection is driven without a reason"));
                core.drive_for_nothing(choice);
            }
        }
    }

    fn send(&mut self, index: usize) {
        let kernel = &mut *locked(&self.kernel);
        let count = amount(&mut kernel.tape, usize::from(u16::MAX));
        let client = &mut self.clients[index];
        let wire = &mut kernel.wires[client.wire];
        let whole = client.send(count, wire);
        if wire.urgent.is_none() && kernel.tape.chance(self.shared.options.behavior.urgent) {
            wire.urgent = Some(wire.inbound.len());
        }
        let at = self.shared.clock.elapsed();
        self.trace.line(|| {
            let (bytes, messages) = (counted(count, "byte"), counted(whole, "message"));
            format!("{at:?} client {index} sends up to {bytes}: {messages} in whole")
        });
        self.shared.book().clients[index].sent = whole;
    }

    fn read(&mut self, index: usize) -> Checked {
        let kernel = &mut *locked(&self.kernel);
        let client = &mut self.clients[index];
        if kernel.tape.chance(client.stalls) {
            return Ok(());
        }
        let wire = &mut kernel.wires[client.wire];
        let count = amount(&mut kernel.tape, wire.received.len());
        let output = client.read(count, wire).map_err(|error| format!("client {index} received {error}"))?;
        let at = self.shared.clock.elapsed();
        self.trace
            .line(|| format!("{at:?} client {index} reads {}: {}", counted(count, "byte"), text(&output)));
        self.shared.book().received(index, &output);
        Ok(())
    }

    fn answer(&mut self, index: usize) {
        let (client, later) = locked(&self.shared.laters).swap_remove(index);
        let (is_dropped, choice) = {
            let tape = &mut locked(&self.kernel).tape;
            (tape.chance(self.shared.options.dropped_answers), tape.below(8))
        };
        let at = self.shared.clock.elapsed();
        if is_dropped {
            self.trace.line(|| format!("{at:?} the answer to client {client} is dropped"));
            return self.shared.drop_later(client, later);
        }
        let text = self.shared.book().next_text('L');
        self.trace.line(|| format!("{at:?} the answer {text} to client {client} is given"));
        let answer = match choice {
            7 => Answer::Reject(text.clone()),
            6 => Answer::Close(text.clone().into()),
            _ => Answer::Reply(text.clone().into()),
        };
        let exits = matches!(answer, Answer::Close(_));
        let result = later.answer(answer);
        self.shared.book().gave_answer(client, text.into(), exits, result);
    }
}

/// An amount of bytes of at most `all`: often all, and sometimes one.
fn amount(tape: &mut Tape, all: usize) -> usize {
    let is_all = tape.is_over() || tape.chance(150);
    if is_all { all } else { (1 + tape.below(all.clamp(1, 250))).min(all) }
}
