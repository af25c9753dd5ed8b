//! The application that the simulation serves: it delegates to the protocol of a framing, and tells the book what is called.

use std::sync::Arc;

use common::{
    Application, Blocking, Client, CloseReason, Codec, ErrorReply, Flow, Framed, Handler, Length, Limits,
    Line, Outbox, Progress, Protocol, Raw,
};

use crate::causes;
use crate::format::{Format, Tagged};
use crate::kernel::locked;
use crate::panics::Panicking;
use crate::session::{Shared, SimHandler, number};

pub(crate) struct SimApplication {
    shared: Arc<Shared>,
    handler: SimHandler,
}

impl SimApplication {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { handler: SimHandler(Arc::clone(&shared)), shared }
    }

    fn framed<C: Codec>(
        &self,
        make: impl FnOnce() -> C,
        client: Client,
        out: &mut Outbox,
    ) -> Box<dyn Protocol> {
        let codec = Panicking::new(make, &self.shared, number(&client.peer));
        Box::new(Framed::open(codec, &self.handler, client, out))
    }

    fn error<C: Codec>(&self, make: impl FnOnce() -> C, error: &ErrorReply, out: &mut Outbox) {
        let client = self.shared.book().current;
        Panicking::new(make, &self.shared, client).error(error, out);
    }
}

impl Application for SimApplication {
    fn open(&self, client: Client, limits: &Limits, out: &mut Outbox) -> Box<dyn Protocol> {
        let number = number(&client.peer);
        self.shared.book().begin(number);
        let framed = match self.shared.options.format {
            Format::Line => self.framed(|| Line::new(limits), client, out),
            Format::Length => self.framed(|| Length::new(limits), client, out),
            Format::Raw => self.framed(|| Raw::new(limits), client, out),
            Format::Tagged => self.framed(|| Tagged::new(limits), client, out),
        };
        let book = &mut *self.shared.book();
        book.opened(number);
        if book.commit(number) {
            book.flowed(number, Flow::Continue, false);
        }
        book.clients[number].timing.message(self.shared.clock.elapsed());
        Box::new(SimProtocol { framed, shared: Arc::clone(&self.shared), client: number })
    }

    fn refuse(&self, error: &ErrorReply, limits: &Limits, out: &mut Outbox) {
        let client = self.shared.book().current;
        match self.shared.options.format {
            Format::Line => self.error(|| Line::new(limits), error, out),
            Format::Length => self.error(|| Length::new(limits), error, out),
            Format::Raw => self.error(|| Raw::new(limits), error, out),
            Format::Tagged => self.error(|| Tagged::new(limits), error, out),
        }
        let book = &mut *self.shared.book();
        let Some(account) = book.clients.get_mut(client) else { return };
        // Without a connection there is no handshake, so a transform can't seal the error.
        if account.is_connected || !self.shared.options.transform {
            account.error = Some(error.clone());
            book.failed(client, error);
        }
    }

    fn blocking(&self) -> Blocking {
        self.handler.blocking()
    }
}

struct SimProtocol {
    framed: Box<dyn Protocol>,
    shared: Arc<Shared>,
    client: usize,
}

impl SimProtocol {
    /// Calls the protocol for something other than a message.
    fn call(&mut self, out: &mut Outbox, call: impl FnOnce(&mut dyn Protocol, &mut Outbox) -> Flow) -> Flow {
        self.shared.book().begin(self.client);
        let flow = call(&mut *self.framed, out);
        let book = &mut *self.shared.book();
        if book.commit(self.client) {
            book.flowed(self.client, flow, false);
        }
        flow
    }

    /// Calls the protocol with input.
    fn process(
        &mut self,
        input: &mut [u8],
        out: &mut Outbox,
        process: impl FnOnce(&mut dyn Protocol, &mut [u8], &mut Outbox) -> Progress,
    ) -> Progress {
        let client = self.client;
        self.shared.book().begin(client);
        self.shared.book().receiving(client);
        let taken = locked(&self.shared.kernel).wires[client].taken;
        self.shared.book().check_turn(client, taken, out.len());
        if !self.shared.options.transform {
            self.shared.book().check_checked(client, input);
        }
        let progress = process(&mut *self.framed, input, out);
        self.shared.book().progressed(client, &progress, self.shared.clock.elapsed());
        progress
    }

    /// Records that a push restarts the idle timeout.
    fn delivered(&self) {
        let book = &mut *self.shared.book();
        let account = &mut book.clients[self.client];
        if account.pending.is_none() {
            account.timing.notified(self.shared.clock.elapsed());
        }
    }
}

impl Protocol for SimProtocol {
    fn receive(&mut self, input: &mut [u8], out: &mut Outbox) -> Progress {
        if self.shared.is_at_fault(self.client, false) {
            return Progress::More { used: input.len() + 1, begun: false };
        }
        self.process(input, out, |framed, input, out| framed.receive(input, out))
    }

    fn finish(&mut self, input: &mut [u8], out: &mut Outbox) -> Progress {
        self.process(input, out, |framed, input, out| framed.finish(input, out))
    }

    fn notified(&mut self, message: &[u8], out: &mut Outbox) -> Flow {
        self.shared.book().count_push(self.client, out.len());
        let flow = self.call(out, |framed, out| framed.notified(message, out));
        self.delivered();
        flow
    }

    fn missed(&mut self, count: u64, out: &mut Outbox) -> Flow {
        self.call(out, |framed, out| framed.missed(count, out))
    }

    fn answered(&mut self, answer: &[u8], out: &mut Outbox) {
        let client = self.client;
        self.shared.book().begin(client);
        let delivered = self.shared.book().clients[client].mailbox.answered(answer);
        self.shared.book().require(client, delivered);
        self.shared.may_panic(client, false);
        self.framed.answered(answer, out);
        self.shared.book().replied(client, answer);
        self.shared.book().answered(client, self.shared.clock.elapsed());
    }

    fn timer(&mut self, out: &mut Outbox) -> Flow {
        self.call(out, |framed, out| framed.timer(out))
    }

    fn stopping(&mut self, out: &mut Outbox) -> Flow {
        self.call(out, |framed, out| framed.stopping(out))
    }

    fn error(&mut self, error: &ErrorReply, out: &mut Outbox) {
        let client = self.client;
        self.shared.book().begin(client);
        self.shared.book().check_blocking(client);
        if let ErrorReply::Rejected(why) = error {
            // Only an answer is rejected here.
            let delivered = self.shared.book().clients[client].mailbox.answered(why.as_bytes());
            self.shared.book().require(client, delivered);
            self.framed.error(error, out);
            self.shared.book().replied(client, format!("ERR {why}").as_bytes());
            return self.shared.book().answered(client, self.shared.clock.elapsed());
        }
        causes::check_error(&self.shared, client, error);
        {
            let account = &mut self.shared.book().clients[client];
            account.error = Some(error.clone());
            account.was_unanswered = account.mailbox.causes(CloseReason::Unanswered);
            account.mailbox.is_awaiting = false;
        }
        self.shared.may_panic(client, false);
        self.framed.error(error, out);
        self.shared.book().failed(client, error);
    }

    fn closed(&mut self, why: CloseReason) {
        causes::check(&self.shared, self.client, why);
        self.shared.book().closed(self.client, why);
        self.framed.closed(why);
    }
}

impl Drop for SimProtocol {
    fn drop(&mut self) {
        self.shared.may_panic_in_destructor(self.client);
    }
}
