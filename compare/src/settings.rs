//! What is to be compared, and how thoroughly.

use super::Candidate;
use super::budget::Tier;
use super::design::AGAIN;
use load::framing::Framing;
use load::plan::{Expect, HIGHEST_RATE, Messages};
use load::slo::Slo;

/// What is to be compared, and how thoroughly.
///
/// # Cores
/// Which cores server and generator get decides what a closed loop shows. On a machine with two or three cores
/// they compete for them, and its throughput says mostly who gets the cores. So there, unless
/// [`cpus_server`](Self::cpus_server) or [`cpus_load`](Self::cpus_load) say otherwise,
///
/// - **closed loops and the highest rate** are measured pinned: the server on the last core that this process may use,
///   the generator on the others. The server is started on that core: it sees one core, and a backend without
///   `--workers` has one worker. A server that is told to have several has them take turns on that core. So these
///   figures are what one core does, and no measure of how a server uses several;
/// - **the common rate**, the curves and isolation are measured on all cores, so that a server with several workers shows
///   what their hand-overs cost.
///
/// Where both are measured, a server is started twice in each round. With four cores or more, and with one, nothing is
/// pinned. Where cores were chosen, everything is pinned to them.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who is compared. The first that can hold [`clients`](Self::clients) is the reference.
    pub candidates: Vec<Candidate>,
    /// How thoroughly.
    pub tier: Tier,
    /// How many rounds, if not as many as the tier has. More rounds take more time: their slots stay as long.
    pub rounds: Option<usize>,
    /// How many connections the main shapes have.
    pub clients: usize,
    /// How many messages each of those has in flight.
    pub depth: usize,
    /// The rate that is offered to all, in messages per second; `None` is one that all bear who can do at least a
    /// quarter of what the median does, found out by a calibration. To be held against an earlier comparison, it must
    /// be that one's.
    pub rate: Option<f64>,
    /// If there are any, these closed loops take the place of the usual one, and there are no curves: connections, and
    /// messages in flight on each. The slots are short then, because there are many to compare.
    pub closed_loops: Vec<(usize, usize)>,
    /// For which counts of connections the throughput is measured, for the curve of the tier `full`.
    pub connections: Vec<usize>,
    /// What is sent.
    pub messages: Messages,
    /// How messages are told from each other.
    pub framing: Framing,
    /// What the replies should be.
    pub expect: Expect,
    /// Whether replies may be refusals. If not, it is told as soon as more than one in a hundred is.
    pub allow_refusals: bool,
    /// How many event loops make the load; 0 is as many as it takes of the cores that are left.
    pub threads: usize,
    /// The cores on which the servers run; with none, those that [`cpus_load`](Self::cpus_load) leaves, and without
    /// these, the section above says which.
    pub cpus_server: Vec<usize>,
    /// The cores on which the load is made; with none, those that [`cpus_server`](Self::cpus_server) leaves, and
    /// without these, the section above says which.
    pub cpus_load: Vec<usize>,
    /// Of the order, and of all else that is drawn by chance.
    pub seed: u64,
    /// The objectives. If there are any, the highest rate that keeps all of them is measured.
    pub slos: Vec<Slo>,
    /// The handler that the servers serve, for the report.
    pub handler: String,
    /// What is sent, in words, for the report; if empty, [`messages`](Self::messages) as text.
    pub message: String,
    /// The command that does it again, for the report.
    pub command: String,
    /// What else is to be known, for the report: name and value.
    pub facts: Vec<(String, String)>,
}

/// More rounds than anybody has the time for. The statistics take the means of all pairs of them, so time and memory
/// grow with their square.
pub const MOST_ROUNDS: usize = 500;

/// The counts of idle connections with which memory is measured.
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
            connections: vec![1, 64, 1000],
            messages: Messages::default(),
            framing: Framing::Line,
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
        if self.closed_loops.is_empty() { self.tier.passes() } else { 0 }
    }

    /// The counts of connections with which throughput is measured for the curve.
    pub(super) fn swept_connections(&self) -> &[usize] {
        if self.tier == Tier::Full && self.passes() > 0 { &self.connections } else { &[] }
    }

    /// How many hostile clients there are beside those of one of the loads: as many, or 0 if isolation is not measured.
    pub(super) fn hostile(&self) -> usize {
        let is_measured = self.tier == Tier::Full && self.closed_loops.is_empty();
        if is_measured { self.clients } else { 0 }
    }

    /// What is sent, in words.
    pub(super) fn message(&self) -> String {
        if self.message.is_empty() { self.messages.to_string() } else { self.message.clone() }
    }

    /// The most connections that a server must hold at a time.
    pub fn most_connections(&self) -> usize {
        let idle = if self.passes() > 0 { &IDLE[..] } else { &[] };
        let sweeps = self.swept_connections().iter().chain(idle).copied();
        let loops = self.closed_loops.iter().map(|&(connections, _)| connections);
        sweeps.chain(loops).max().unwrap_or(0).max(self.clients + self.hostile())
    }

    /// Whether they make sense.
    ///
    /// # Errors
    /// What doesn't, for people.
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
            return Err(format!("two servers are named {name}; give each a name of its own"));
        }
        if let Some(name) = names.clone().find(|name| name.ends_with(AGAIN)) {
            return Err(format!(
                "`{name}` is the name of a second run, which ends in `{AGAIN}`; choose another name"
            ));
        }
        if self.rounds() == 0 {
            return too_small("rounds");
        }
        if self.rounds() > MOST_ROUNDS {
            return Err(format!("{} rounds are too many; choose at most {MOST_ROUNDS}", self.rounds()));
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
                "{rate} is no rate; choose one above 0 and at most 1,000,000,000 per second"
            ));
        }
        self.messages.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use load::plan::Sizes;

    fn named(names: &[&str]) -> Settings {
        let candidate = |name: &&str| Candidate { name: (*name).to_owned(), ..Candidate::default() };
        Settings::new(names.iter().map(candidate).collect())
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        assert_eq!(named(&["a", "b"]).check(), Ok(()));
        let told = |settings: Settings| settings.check().unwrap_err();
        assert!(told(named(&[])).contains("nothing to compare"));
        assert!(told(named(&["a", "b", "a"])).contains("two servers are named a"));
        assert!(told(named(&["a", "a (again)"])).contains("second run"));
        for rounds in [0, usize::MAX] {
            assert!(told(Settings { rounds: Some(rounds), ..named(&["a"]) }).contains("rounds"));
        }
        assert!(told(Settings { clients: 0, ..named(&["a"]) }).contains("connections"));
        assert!(told(Settings { connections: vec![0], ..named(&["a"]) }).contains("connections"));
        assert!(told(Settings { closed_loops: vec![(0, 1)], ..named(&["a"]) }).contains("connections"));
        assert!(told(Settings { closed_loops: vec![(1, 0)], ..named(&["a"]) }).contains("in flight"));
        assert!(told(Settings { depth: 0, ..named(&["a"]) }).contains("in flight"));
        assert!(
            told(Settings { messages: Messages::Made(Sizes::Fixed(1)), ..named(&["a"]) }).contains("1 B")
        );
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(told(Settings { rate: Some(rate), ..named(&["a"]) }).contains("rate"));
        }
        assert_eq!(Settings { rate: Some(0.5), ..named(&["a"]) }.check(), Ok(()));
    }

    #[test]
    fn servers_must_hold_what_is_measured() {
        assert_eq!(named(&["a"]).most_connections(), 2000);
        let many = Settings { connections: vec![5000], ..named(&["a"]) };
        assert_eq!(many.most_connections(), 2000, "that curve is for the tier full");
        assert_eq!(Settings { tier: Tier::Full, ..many }.most_connections(), 5000);
        assert_eq!(Settings { tier: Tier::Quick, ..named(&["a"]) }.most_connections(), 64);
        let hostile = Settings { tier: Tier::Full, clients: 3000, ..named(&["a"]) };
        assert_eq!(hostile.most_connections(), 6000);
        let loops = Settings { closed_loops: vec![(64, 1), (500, 1)], ..named(&["a"]) };
        assert_eq!(loops.most_connections(), 500);
    }

    #[test]
    fn what_is_sent_is_told_in_words() {
        assert_eq!(named(&["a"]).message(), "32 B");
        assert_eq!(Settings { message: "GET /".into(), ..named(&["a"]) }.message(), "GET /");
    }
}
