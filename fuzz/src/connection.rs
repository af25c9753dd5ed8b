//! The state machine of a connection, driven by arbitrary events through its public interface, as backends drive it.
//!
//! Two connections share an outbox. Their clients send messages, which arrive in pieces; writes are short or refused, or
//! the output is lent; other threads push messages and answer later; deadlines pass, and the server stops. At the end
//! nothing is withheld any more, and both conversations must end. [`bounds`] judges memory and deadlines meanwhile, and
//! [`check`] then judges what each client received.

mod bounds;
mod check;
mod client;
mod session;
mod transform;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyloop::backend::Clock;
use anyloop::protocol::Outbox;
use anyloop::{Framing, Limits, MailboxFull, Service};
use arbitrary::{Result, Unstructured};

use self::client::Client;
use self::session::Script;
use self::transform::Records;

/// Events of two connections.
pub fn connection(data: &[u8]) {
    let mut data = Unstructured::new(data);
    let Ok(settings) = Settings::new(&mut data) else { return };
    let time = Time::new();
    let clock = time.clock();
    let mut out = Outbox::new();
    let mut clients = [(); 2].map(|()| Client::new(settings, &time));
    let _ = act(&mut data, &mut clients, &mut out, &clock);
    for client in &mut clients {
        client.conclude(&mut out, &clock);
        check::check(client);
    }
}

fn act(
    data: &mut Unstructured<'_>,
    clients: &mut [Client; 2],
    out: &mut Outbox,
    clock: &Clock,
) -> Result<()> {
    while !data.is_empty() {
        let client = &mut clients[usize::from(data.ratio(1, 4)?)];
        client.event(data, out, clock)?;
        let steps = data.int_in_range(0..=6)?;
        client.serve(steps, data.int_in_range(1..=200)?, out, clock);
    }
    Ok(())
}

/// What the service is, and how it is driven.
#[derive(Clone, Copy)]
struct Settings {
    framing: Framing,
    limits: Limits,
    /// Whether the handler may block.
    blocking: bool,
    /// Whether output is lent, as to a ring.
    lends: bool,
    /// Whether all bytes pass through [`Records`].
    transformed: bool,
}

impl Settings {
    fn new(data: &mut Unstructured<'_>) -> Result<Self> {
        let milliseconds = |data: &mut Unstructured<'_>| data.int_in_range(1..=20).map(Duration::from_millis);
        let limits = Limits::default()
            .with_max_message(16)
            .with_max_reply(*data.choose(&[200, 200, 200, 40_000])?)
            .with_mailbox(*data.choose(&[0, 80, 300, 5_000])?)
            .with_mailbox_full(*data.choose(&[
                MailboxFull::Close,
                MailboxFull::Refuse,
                MailboxFull::DropOldest,
            ])?)
            .with_idle_timeout(milliseconds(data)?)
            .with_message_timeout(milliseconds(data)?)
            .with_write_timeout(milliseconds(data)?)
            .with_answer_timeout(milliseconds(data)?);
        let [blocking, lends, transformed, is_line] = data.arbitrary()?;
        let framing = if is_line { Framing::Line } else { Framing::Length };
        Ok(Self { framing, limits, blocking, lends, transformed })
    }

    fn service(&self, script: &Arc<Script>) -> Service {
        let handler = session::Scripted { script: Arc::clone(script), settings: *self };
        let service = Service::framed(Arc::new(handler), self.framing).with_limits(self.limits);
        if self.transformed { service.with_transform(|_| Box::new(Records)) } else { service }
    }

    /// A message or a reply in the framing.
    fn frame(&self, payload: &[u8]) -> Vec<u8> {
        match self.framing {
            Framing::Line => [payload, b"\n"].concat(),
            _ => [&(payload.len() as u32).to_be_bytes()[..], payload].concat(),
        }
    }

    /// The payload of the first reply in what a client received, and the rest. `None` if it is not complete.
    fn unframe<'a>(&self, received: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        match self.framing {
            Framing::Line => {
                let end = memchr::memchr(b'\n', received)?; // replies are long
                Some((&received[..end], &received[end + 1..]))
            }
            _ => {
                let (length, rest) = received.split_first_chunk()?;
                rest.split_at_checked(u32::from_be_bytes(*length) as usize)
            }
        }
    }
}

/// The simulated time, in milliseconds.
struct Time {
    start: Instant,
    now: Arc<AtomicU64>,
}

impl Time {
    fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), now: Arc::default() })
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.now.load(Ordering::Relaxed))
    }

    fn pass(&self, milliseconds: u64) {
        self.now.fetch_add(milliseconds, Ordering::Relaxed);
    }

    fn clock(&self) -> Clock {
        let (start, now) = (self.start, Arc::clone(&self.now));
        Clock::new(move || start + Duration::from_millis(now.load(Ordering::Relaxed)))
    }
}
