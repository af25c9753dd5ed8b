//! Hostile clients that run beside the measured ones.

mod client;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use self::client::{Client, Kind};
use crate::engine::interrupted;
use crate::engine::sources::CONNECT_TIMEOUT;
use crate::hostile::HostileClients;
use crate::plan::Plan;

/// The hostile clients of a plan. One thread runs all of them, since they are idle most of the time.
pub(super) struct Crowd<'a> {
    plan: &'a Plan,
    clients: Vec<Client>,
}

/// The interval at which a slow reader reads a byte, and a slow writer writes one.
const PACE: Duration = Duration::from_millis(100);

/// How long the first connections are waited for before `stop` is checked, and those that found a full backlog try again.
const MOMENT: Duration = Duration::from_millis(20);

/// The size of generated messages of hostile clients.
const MESSAGE: usize = 1024;

/// The first connection number, beyond those of the measured connections, so that the source addresses differ as well.
const NUMBERS: u32 = 1 << 24;

impl<'a> Crowd<'a> {
    /// Connects the hostile clients of this shard; `None` if there are none. Those that can't be connected now try again
    /// later.
    ///
    /// # Errors
    /// If this machine has no ports left, or no descriptors: fewer clients than planned would take part. `Interrupted`
    /// if `stop` was set.
    pub(super) fn gather(plan: &'a Plan, stop: &AtomicBool) -> io::Result<Option<Self>> {
        let own = |kind, total| std::iter::repeat_n(kind, plan.shard.share(total));
        let kinds = own(Kind::Idle, plan.hostile.idle)
            .chain(own(Kind::SlowReader, plan.hostile.slow_readers))
            .chain(own(Kind::SlowWriter, plan.hostile.slow_writers));
        let numbers = (0..).map(|own| NUMBERS.wrapping_add(plan.shard.number_of(own) as u32));
        let clients: Vec<_> = kinds.zip(numbers).map(|(kind, number)| Client::new(kind, number)).collect();
        if clients.is_empty() {
            return Ok(None);
        }
        let mut crowd = Self { plan, clients };
        crowd.clients.iter_mut().try_for_each(|client| client.connect(plan))?;
        let end = Instant::now() + CONNECT_TIMEOUT;
        while crowd.clients.iter().any(Client::is_pending) && Instant::now() < end {
            if stop.load(Ordering::Relaxed) {
                return Err(interrupted());
            }
            crowd.wait_for_connections()?;
        }
        Ok(Some(crowd))
    }

    /// Waits for a moment until some more are connected.
    fn wait_for_connections(&mut self) -> io::Result<()> {
        let pending = self.clients.iter().filter(|client| client.is_pending());
        let mut polled: Vec<_> =
            pending.filter_map(Client::socket).map(|socket| PollFd::new(socket, PollFlags::OUT)).collect();
        let moment = Timespec { tv_sec: 0, tv_nsec: MOMENT.subsec_nanos().into() };
        let _ = poll(&mut polled, Some(&moment)); // a signal may end it earlier
        for client in self.clients.iter_mut().filter(|client| client.is_pending()) {
            match client.socket() {
                Some(_) => client.notice(),
                None => client.connect(self.plan)?,
            }
        }
        Ok(())
    }

    /// Runs until it is stopped. A client that the server has closed reconnects. Returns what has become of all.
    ///
    /// # Errors
    /// If this machine has no ports left, or no descriptors: fewer clients than planned would take part.
    pub(super) fn make_trouble(mut self, over: &AtomicBool) -> io::Result<HostileClients> {
        let message = self.plan.messages.example(self.plan.framing, MESSAGE);
        while !over.load(Ordering::Relaxed) {
            for client in &mut self.clients {
                if client.socket().is_none() {
                    client.connect(self.plan)?;
                } else {
                    client.notice();
                    client.act(&message);
                }
            }
            thread::sleep(PACE);
        }
        self.clients.iter_mut().for_each(Client::notice_end);
        Ok(self.counts())
    }

    fn counts(&self) -> HostileClients {
        let mut all = HostileClients::default();
        for client in &self.clients {
            let counts = match client.kind {
                Kind::Idle => &mut all.idle,
                Kind::SlowReader => &mut all.slow_readers,
                Kind::SlowWriter => &mut all.slow_writers,
            };
            counts.clients += 1;
            counts.connections += client.connections;
            counts.ended += client.ended;
        }
        all
    }
}
