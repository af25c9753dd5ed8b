//! The handler that the simulation serves: each message tells its session what to do.

use std::panic::panic_any;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use common::{
    Address, Answer, Blocking, Client, CloseReason, Flow, Group, Handle, Handler, Later, Replies, Session,
    canary,
};

use crate::book::Book;
use crate::clock::VirtualClock;
use crate::format::Format;
use crate::kernel::{SharedKernel, locked};
use crate::operation::Operation;
use crate::options::Options;
use crate::panics::{EXPECTED, OnPurpose};
use crate::timing;

/// What the sessions of a run share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) book: Mutex<Book>,
    pub(crate) kernel: SharedKernel,
    pub(crate) clock: VirtualClock,
    pub(crate) options: Options,
    /// The answers that are awaited, with the client of each, and those that are kept for ever.
    pub(crate) laters: Mutex<Vec<(usize, Later)>>,
    kept: Mutex<Vec<Later>>,
    /// The handles of all clients, also of those that are gone.
    pub(crate) handles: Mutex<Vec<(usize, Handle)>>,
    group: Group,
}

impl Shared {
    pub(crate) fn new(options: Options, kernel: SharedKernel, clock: VirtualClock) -> Self {
        let (laters, kept, handles) = Default::default();
        let book = Mutex::new(Book::new(options.format, options.limits));
        Self { book, kernel, clock, options, laters, kept, handles, group: Group::new() }
    }

    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        locked(&self.book)
    }

    /// Whether something occurs that has this chance of 256.
    pub(crate) fn chance(&self, of_256: u8) -> bool {
        locked(&self.kernel).tape.chance(of_256)
    }

    /// The server begins to stop, unless it has.
    pub(crate) fn begin_stop(&self) {
        let (kernel, book) = (locked(&self.kernel), &mut *self.book());
        if !std::mem::replace(&mut book.is_stopping, true) {
            for (account, wire) in book.clients.iter_mut().zip(&kernel.wires) {
                account.arrived_at_stop = wire.taken + wire.arrived;
            }
        }
    }

    /// A client is to be passed on to where its calls may block, which may also be to close it.
    pub(crate) fn pass_on(&self, client: usize) {
        let (kernel, now) = (locked(&self.kernel), self.clock.elapsed());
        self.book().clients[client]
            .passed_on
            .get_or_insert_with(|| timing::may_time_out_writing(&kernel.wires[client], &self.options, now));
    }

    /// Calls a connection where its calls may block.
    pub(crate) fn where_it_may_block(&self, client: usize, call: impl FnOnce()) {
        {
            let book = &mut *self.book();
            book.allows_blocking = true;
            book.clients[client].handshake_until = self.clock.elapsed(); // it may have waited for this
        }
        call();
        let book = &mut *self.book();
        (book.allows_blocking, book.clients[client].passed_on) = (false, None);
    }

    /// Pushes a message to a client.
    pub(crate) fn push(&self, to: usize, handle: &Handle) {
        let message = self.book().next_text('P').into_bytes();
        let expected = self.expect_push(to, &message);
        let pushed = handle.send(message);
        self.book().check(to, pushed == expected, || {
            format!("a push returned {pushed:?}, and {expected:?} was expected")
        });
    }

    fn expect_push(&self, to: usize, message: &[u8]) -> Result<(), common::SendError> {
        let Book { clients, limits, is_stopping, totals, .. } = &mut *self.book();
        clients[to].mailbox.push(message.to_vec(), limits, *is_stopping, totals)
    }

    /// Pushes a message to all clients.
    fn publish(&self, sender: usize) {
        let message = self.book().next_text('G').into_bytes();
        let members: Vec<_> = locked(&self.handles).iter().map(|(to, _)| *to).collect();
        let accepted = members.iter().filter(|&&to| self.expect_push(to, &message).is_ok()).count();
        let sent = self.group.send(message);
        self.book().check(sender, sent == accepted, || {
            format!("{sent} members of the group accepted a message, and {accepted} were expected to")
        });
    }

    /// One of the handles.
    pub(crate) fn handle(&self, index: usize) -> Option<(usize, Handle)> {
        let handles = locked(&self.handles);
        (!handles.is_empty()).then(|| handles[index % handles.len()].clone())
    }

    /// Announces an answer.
    fn later(&self, client: usize, out: &mut Replies<'_>) -> Later {
        let later = out.later();
        self.book().announced(client, self.clock.elapsed());
        later
    }

    /// Drops an answer.
    pub(crate) fn drop_later(&self, client: usize, later: Later) {
        let is_late = later.is_gone();
        {
            let account = &mut self.book().clients[client];
            if is_late {
                account.is_answer_refused = true;
            } else {
                account.mailbox.drop_answer();
            }
        }
        drop(later);
    }

    /// Gives the answer that a client awaits, if there is one.
    fn answer_own(&self, client: usize) {
        let laters = &mut *locked(&self.laters);
        if let Some(index) = laters.iter().position(|(to, _)| *to == client) {
            let (_, later) = laters.swap_remove(index);
            let text = self.book().next_text('L');
            let result = later.answer(Answer::Reply(text.clone().into()));
            self.book().gave_answer(client, text.into(), false, result);
        }
    }

    /// What calls other than those with messages may do besides.
    fn side_effect(&self, client: usize, out: Option<&mut Replies<'_>>) {
        if !self.chance(self.options.side_effects) {
            return;
        }
        let target = locked(&self.kernel).tape.below(8);
        if let Some((to, handle)) = self.handle(target) {
            self.push(to, &handle);
        }
        let is_pending = {
            let account = &self.book().clients[client];
            account.pending.is_some()
        };
        if let Some(out) = out
            && !is_pending
            && self.chance(60)
        {
            let later = self.later(client, out);
            locked(&self.laters).push((client, later));
        }
    }
}

/// Each client's number is the port of its address.
pub(crate) fn number(peer: &Address) -> usize {
    peer.ip().map_or(usize::MAX, |address| usize::from(address.port()))
}

#[derive(Debug)]
pub(crate) struct SimHandler(pub(crate) Arc<Shared>);

impl Handler for SimHandler {
    fn open(&self, client: &Client, out: &mut Replies<'_>) -> Box<dyn Session> {
        let number = number(&client.peer);
        let shared = Arc::clone(&self.0);
        shared.book().check_blocking(number);
        shared.may_panic(number, false);
        out.send(b"hello");
        shared.book().replied(number, b"hello");
        locked(&shared.handles).push((number, client.handle()));
        shared.group.join(&client.handle());
        shared.side_effect(number, Some(out));
        Box::new(SimSession { shared, client: number, ticks: 0 })
    }

    /// A panic here ends no conversation: it is one that may block.
    fn blocking(&self) -> Blocking {
        if self.0.chance(self.0.options.faults.panics) {
            let book = &mut *self.0.book();
            let client = book.current;
            book.clients[client].may_block = true;
            panic_any(OnPurpose);
        }
        if self.0.options.blocking { Blocking::MayBlock } else { Blocking::Never }
    }
}

impl Drop for SimHandler {
    fn drop(&mut self) {
        self.0.may_panic_at_the_end();
    }
}

struct SimSession {
    shared: Arc<Shared>,
    client: usize,
    ticks: u32,
}

impl SimSession {
    /// The session is called.
    fn called(&self) {
        if canary!("panics in a session") {
            panic!("not on purpose");
        }
        self.shared.book().check_blocking(self.client);
        self.shared.may_panic(self.client, false);
    }

    fn say(&self, reply: &[u8], out: &mut Replies<'_>) {
        out.send(reply);
        self.shared.book().replied(self.client, reply);
    }
}

impl Session for SimSession {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        let (shared, client) = (Arc::clone(&self.shared), self.client);
        shared.book().handled(client, message);
        self.called();
        let is_framed = shared.options.format != Format::Raw;
        let operation = Operation::of(message, &shared.options.operations, is_framed);
        let target = message.get(1).map_or(0, |&digit| usize::from(digit.wrapping_sub(b'0')));
        let later = |out: &mut Replies<'_>| {
            let later = shared.later(client, out);
            locked(&shared.laters).push((client, later));
        };
        let max_reply = shared.options.limits.max_reply;
        match operation {
            Operation::Echo => {}
            Operation::Twice => self.say(&[b"S", message].concat(), out),
            Operation::Silent => return Flow::Continue,
            Operation::Exit => {
                self.say(b"bye", out);
                return Flow::Close;
            }
            Operation::Reject | Operation::Fail => {
                out.reject("no");
                shared.book().replied(client, b"ERR no");
                return if operation == Operation::Fail { Flow::Fail } else { Flow::Continue };
            }
            Operation::Panic => {
                self.say(b"withdrawn", out);
                shared.book().clients[client].has_panicked = true;
                panic_any(OnPurpose);
            }
            Operation::Overflow | Operation::Full => {
                let mut framed = Vec::new();
                shared.options.format.encode(b"", &mut framed);
                let excess = usize::from(operation == Operation::Overflow);
                let first = max_reply / 2;
                self.say(&vec![b'x'; first], out);
                self.say(&vec![b'y'; max_reply - first - 2 * framed.len() + excess], out);
                return Flow::Continue;
            }
            Operation::Later => later(out),
            Operation::LaterExit => {
                later(out);
                return Flow::Close;
            }
            Operation::Never => {
                let later = shared.later(client, out);
                locked(&shared.kept).push(later);
            }
            Operation::Drop => {
                let later = shared.later(client, out);
                shared.drop_later(client, later);
            }
            Operation::TwoLaters => {
                shared.book().clients[client].has_panicked = true;
                later(out);
                EXPECTED.set(true);
                drop(out.later());
            }
            Operation::Slow => shared.clock.advance(Duration::from_millis(60)),
            Operation::Timer | Operation::PastTimer => {
                let after = Duration::from_millis(if operation == Operation::Timer { 30 } else { 0 });
                out.set_timer(after);
                shared.book().clients[client].timer_at = Some(shared.clock.elapsed() + after);
            }
            Operation::Push => {
                if let Some((to, handle)) = shared.handle(target) {
                    shared.push(to, &handle);
                }
            }
            Operation::Publish => shared.publish(client),
            Operation::Close => {
                if let Some((to, handle)) = shared.handle(target) {
                    handle.close();
                    shared.book().clients[to].mailbox.close();
                }
            }
        }
        self.say(&[b"R", message].concat(), out);
        Flow::Continue
    }

    fn notified(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        self.shared.book().notified(self.client, message);
        self.called();
        self.say(message, out);
        if self.shared.chance(self.shared.options.long_replies) {
            self.say(&vec![b'z'; self.shared.options.limits.max_reply / 2], out);
        }
        self.shared.side_effect(self.client, Some(out));
        Flow::Continue
    }

    fn missed(&mut self, count: u64, out: &mut Replies<'_>) -> Flow {
        let told = self.shared.book().clients[self.client].mailbox.told_missed(count);
        self.shared.book().require(self.client, told);
        self.called();
        self.say(format!("M{count}").as_bytes(), out);
        Flow::Continue
    }

    fn timer(&mut self, out: &mut Replies<'_>) -> Flow {
        {
            let (now, book) = (self.shared.clock.elapsed(), &mut *self.shared.book());
            let timer_at = book.clients[self.client].timer_at.take();
            book.check(self.client, timer_at.is_some_and(|timer_at| timer_at <= now), || {
                format!("its timer is called at {now:?}, and was set to {timer_at:?}")
            });
        }
        self.called();
        self.ticks += 1;
        self.say(format!("T{}", self.ticks).as_bytes(), out);
        self.shared.side_effect(self.client, Some(out));
        Flow::Continue
    }

    fn stopping(&mut self, out: &mut Replies<'_>) -> Flow {
        let (shared, client) = (Arc::clone(&self.shared), self.client);
        shared.book().stopping(client);
        self.called();
        self.say(b"stopping", out);
        if shared.chance(shared.options.side_effects) {
            shared.answer_own(client);
        }
        shared.side_effect(client, Some(out));
        if shared.chance(shared.options.side_effects) { Flow::Close } else { Flow::Continue }
    }

    fn closed(&mut self, _why: CloseReason) {
        self.shared.side_effect(self.client, None);
        self.called();
    }
}

impl Drop for SimSession {
    fn drop(&mut self) {
        self.shared.may_panic_in_destructor(self.client);
    }
}
