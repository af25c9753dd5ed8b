//! The settings of a comparison.

use std::net::{Ipv4Addr, SocketAddr};

use super::Candidate;
use super::budget::Tier;
use super::design::CONTROL_SUFFIX;
use load::framing::Framing;
use load::plan::{Expect, HIGHEST_RATE, Messages, Plan, Subscribers, TransformHook};
use load::slo::Slo;

/// The settings of a comparison.
///
/// # Cores
/// The cores of server and generator determine the result of a closed loop. On a machine with two or three cores both
/// compete, and the throughput depends mostly on how the cores are divided. So there, unless
/// [`cpus_server`](Self::cpus_server) or [`cpus_load`](Self::cpus_load) say otherwise,
///
/// - **closed loops and the highest rate** are measured pinned: the server on the last core that this process may use,
///   the generator on the others. The server is started on that core: it sees one core, and a backend without
///   `--workers` has one worker; several workers share that core. So these figures are for one core, and don't show how
///   a server uses several;
/// - **the common rate**, the curves and isolation are measured on all cores, so that the cost of hand-overs between
///   workers is included.
///
/// If both are measured, a server is started twice in each round. With four cores or more, with one, and with
/// [`subscribers`](Self::subscribers), nothing is pinned. If cores were chosen, everything is pinned to them.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The servers to compare. The first that can hold [`clients`](Self::clients) connections is the reference.
    pub candidates: Vec<Candidate>,
    /// The thoroughness.
    pub tier: Tier,
    /// The number of rounds, if not the tier's. More rounds take more time; the measurements don't become shorter.
    pub rounds: Option<usize>,
    /// The number of connections of the main loads.
    pub clients: usize,
    /// The number of messages in flight on each of these.
    pub depth: usize,
    /// The rate that is offered to all, in messages per second. `None` means that the calibration chooses one that all
    /// servers sustain, except for those below a quarter of the median throughput. To compare with an earlier
    /// comparison, it must be the same rate.
    pub rate: Option<f64>,
    /// Closed loops that replace the usual one, if any: connections, and messages in flight on each. Then memory is the
    /// only curve, and the measurements are short, because there are many.
    pub closed_loops: Vec<(usize, usize)>,
    /// The numbers of subscribers of the loads that replace the usual ones, if any: [`clients`](Self::clients)
    /// connections send messages, which the server pushes to all subscribers. Then [`rate`](Self::rate) is that of the
    /// deliveries, there are no curves, and the measurements are short.
    pub subscribers: Vec<usize>,
    /// The message with which each of them subscribes.
    pub subscribe_message: Vec<u8>,
    /// The counts of connections at which throughput is measured, for the curve of the tier `full`.
    pub connections: Vec<usize>,
    /// The messages to send.
    pub messages: Messages,
    /// The framing of the messages.
    pub framing: Framing,
    /// The layer below the messages, such as TLS, which all servers speak.
    pub transform: Option<TransformHook>,
    /// The expected replies.
    pub expect: Expect,
    /// Whether any number of replies may be refusals. If not, more than 1 % are noted.
    pub allow_refusals: bool,
    /// How many event loops generate the load; 0 means that the number is chosen from the cores that are left.
    pub threads: usize,
    /// The cores of the servers. If empty, those that [`cpus_load`](Self::cpus_load) leaves; if both are empty, see
    /// above.
    pub cpus_server: Vec<usize>,
    /// The cores of the generator. If empty, those that [`cpus_server`](Self::cpus_server) leaves; if both are empty,
    /// see above.
    pub cpus_load: Vec<usize>,
    /// The seed of the order and of all other random choices.
    pub seed: u64,
    /// The objectives. If there are any, the highest rate that meets all of them is measured.
    pub slos: Vec<Slo>,
    /// The handler that the servers serve, for the report.
    pub handler: String,
    /// A description of the messages, for the report; if empty, [`messages`](Self::messages) as text.
    pub message: String,
    /// The command that repeats the comparison, for the report.
    pub command: String,
    /// Further facts for the report: name and value.
    pub facts: Vec<(String, String)>,
}

/// The maximum number of rounds. The statistics use the means of all pairs of rounds, so time and memory grow with the
/// square.
pub const MAX_ROUNDS: usize = 500;

/// The counts of idle connections at which memory is measured.
pub(super) const IDLE: [usize; 4] = [0, 500, 1000, 2000];

impl Settings {
    /// The usual comparison: 64 connections with 16 messages of 32 bytes in flight, to servers that echo lines.
    pub fn new(candidates: Vec<Candidate>) -> Self {
        Self {
            candidates,
            tier: Tier::Default,
            rounds: None,
            clients: 64,
            depth: 16,
            rate: None,
            closed_loops: Vec::new(),
            subscribers: Vec::new(),
            subscribe_message: Subscribers::default().message,
            connections: vec![1, 64, 1000],
            messages: Messages::default(),
            framing: Framing::Line,
            transform: None,
            expect: Expect::Echo,
            allow_refusals: false,
            threads: 0,
            cpus_server: Vec::new(),
            cpus_load: Vec::new(),
            seed: 1,
            slos: Vec::new(),
            handler: "echo".to_owned(),
            message: String::new(),
            command: String::new(),
            facts: Vec::new(),
        }
    }

    /// How many rounds there are.
    pub fn rounds(&self) -> usize {
        self.rounds.unwrap_or_else(|| self.tier.rounds())
    }

    /// How often the points of the curves are measured.
    pub(super) fn passes(&self) -> usize {
        if self.subscribers.is_empty() { self.tier.passes() } else { 0 }
    }

    /// Whether there are loads that replace the usual ones.
    pub(super) fn has_own_loads(&self) -> bool {
        !self.closed_loops.is_empty() || !self.subscribers.is_empty()
    }

    /// The counts of connections at which throughput is measured for the curve.
    pub(super) fn swept_connections(&self) -> &[usize] {
        if self.tier == Tier::Full && !self.has_own_loads() { &self.connections } else { &[] }
    }

    /// How many hostile clients are added to the load that measures isolation: as many as there are clients, or 0 if it
    /// is not measured.
    pub(super) fn hostile(&self) -> usize {
        let is_measured = self.tier == Tier::Full && !self.has_own_loads();
        if is_measured { self.clients } else { 0 }
    }

    /// A description of the messages.
    pub(super) fn message(&self) -> String {
        if self.message.is_empty() { self.messages.to_string() } else { self.message.clone() }
    }

    /// The largest number of connections that a server must hold at once.
    pub fn most_connections(&self) -> usize {
        let idle = if self.passes() > 0 { &IDLE[..] } else { &[] };
        let sweeps = self.swept_connections().iter().chain(idle).copied();
        let loops = self.closed_loops.iter().map(|&(connections, _)| connections);
        let subscribers = self.subscribers.iter().max().copied().unwrap_or(0);
        sweeps.chain(loops).max().unwrap_or(0).max(self.clients + self.hostile() + subscribers)
    }

    /// The number of connections that a server must hold to be measured under a main load.
    pub fn least_connections(&self) -> usize {
        self.clients + self.subscribers.iter().min().copied().unwrap_or(0)
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub fn check(&self) -> Result<(), String> {
        let names = self.candidates.iter().map(|candidate| &candidate.name);
        let twice =
            names.clone().enumerate().find(|(at, name)| names.clone().take(*at).any(|one| one == *name));
        let too_small = |what: &str| Err(format!("the number of {what} must be above zero"));
        let loops = &self.closed_loops;
        if self.candidates.is_empty() {
            return Err("there is nothing to compare; choose at least one server".to_owned());
        }
        if let Some((_, name)) = twice {
            return Err(format!("two servers are named {name}; give each a different name"));
        }
        if let Some(name) = names.clone().find(|name| name.ends_with(CONTROL_SUFFIX)) {
            return Err(format!(
                "`{name}` is the name of a second run, which ends in `{CONTROL_SUFFIX}`; choose another name"
            ));
        }
        if self.rounds() == 0 {
            return too_small("rounds");
        }
        if self.rounds() > MAX_ROUNDS {
            return Err(format!("{} rounds are too many; choose at most {MAX_ROUNDS}", self.rounds()));
        }
        let clients = self.connections.iter().copied().chain([self.clients]);
        if clients.chain(loops.iter().map(|one| one.0)).any(|count| count == 0) {
            return too_small("connections");
        }
        if loops.iter().map(|one| one.1).chain([self.depth]).any(|count| count == 0) {
            return too_small("messages in flight");
        }
        if let Some(rate) = self.rate.filter(|rate| !(*rate > 0.0 && *rate <= HIGHEST_RATE)) {
            return Err(format!(
                "{rate} is not a valid rate; choose one above 0 and at most 1,000,000,000 per second"
            ));
        }
        self.messages.check()?;
        self.check_subscribers()
    }

    /// Checks that the pushes to the subscribers can be verified.
    fn check_subscribers(&self) -> Result<(), String> {
        let Some(&count) = self.subscribers.iter().max() else { return Ok(()) };
        if let Some((_, count)) =
            self.subscribers.iter().enumerate().find(|(at, count)| self.subscribers[..*at].contains(count))
        {
            return Err(format!("{count} subscribers are given twice; give each number once"));
        }
        if self.subscribers.contains(&0) {
            return Err("the number of subscribers must be above zero".to_owned());
        }
        let plan = Plan {
            connections: self.clients,
            messages: self.messages.clone(),
            framing: self.framing,
            expect: self.expect.clone(),
            subscribers: Subscribers { count, message: self.subscribe_message.clone() },
            ..Plan::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)))
        };
        plan.check().and_then(|()| plan.check_expect())
    }
}

#[cfg(test)]
mod tests;
