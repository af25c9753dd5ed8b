//! What is to be compared, and how thoroughly.

use std::time::Duration;

use super::Candidate;
use load::framing::Framing;
use load::plan::{Expect, HIGHEST_RATE, Sizes};
use load::slo::Slo;

/// What is to be compared, and how thoroughly.
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
    /// The rate that is offered to all, in messages per second; `None` is one that the slowest bears, found out
    /// by a calibration. To be held against an earlier comparison, it must be that one's.
    pub rate: Option<f64>,
    /// If there are any, these closed loops alone are measured, and no curves: connections, and messages in flight
    /// on each. The slots are short then, because there are many to compare.
    pub closed_loops: Vec<(usize, usize)>,
    /// For which counts of connections the throughput is measured once, for the curve.
    pub connections: Vec<usize>,
    /// How long the messages are.
    pub sizes: Sizes,
    /// How messages are told from each other.
    pub framing: Framing,
    /// What the servers' handler replies.
    pub expect: Expect,
    /// How many event loops make the load.
    pub threads: usize,
    /// Of the order, and of all else that is drawn by chance.
    pub seed: u64,
    /// The objective to which the curves are held.
    pub slo: Option<Slo>,
    /// The handler that the servers serve, for the report.
    pub handler: String,
    /// The command that does it again, for the report.
    pub command: String,
}

/// How thoroughly is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tier {
    /// Under a minute: few short rounds, no curves. To see where to look.
    Quick,
    /// About three minutes: rounds for the verdicts, one pass for the curves.
    #[default]
    Default,
    /// About a quarter of an hour: more and longer rounds, several passes for the curves.
    Full,
}

impl Tier {
    /// Its name, as reports have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Default => "default",
            Self::Full => "full",
        }
    }

    /// How many rounds it has. Seven are enough to see, with a probability of 80 %, a difference of a tenth in
    /// CPU time for each message, at the spread of 8 % from round to round that shared machines show:
    /// (2.8 × 0.08 ÷ ln 1.1)², rounded up to an odd number.
    pub fn rounds(self) -> usize {
        match self {
            Self::Quick => 5,
            Self::Default => 7,
            Self::Full => 15,
        }
    }

    /// How long all of it takes, with as many rounds. The slots are made as long as fits.
    pub fn time(self) -> Duration {
        Duration::from_secs(match self {
            Self::Quick => 50,
            Self::Default => 175,
            Self::Full => 900,
        })
    }

    /// How often the points of the curves are measured. Of several passes, the median is kept.
    pub fn passes(self) -> usize {
        match self {
            Self::Quick => 0,
            Self::Default => 1,
            Self::Full => 5,
        }
    }
}

/// More rounds than anybody has the time for.
pub const MOST_ROUNDS: usize = 10_000;

/// The counts of idle connections with which memory is measured.
pub(super) const IDLE: [usize; 4] = [0, 500, 1000, 2000];

/// How many good clients there are beside the hostile ones: a count of which the hostile shares of
/// [`HOSTILE`] are whole clients.
pub(super) const GOOD: usize = 45;

/// How many of a hundred clients are hostile.
pub(super) const HOSTILE: [usize; 3] = [0, 10, 50];

impl Settings {
    /// The usual comparison: 64 connections with 16 messages of 32 bytes in flight, to servers that echo.
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
            sizes: Sizes::Fixed(32),
            framing: Framing::Line,
            expect: Expect::Echo,
            threads: 1,
            seed: 1,
            slo: None,
            handler: "echo".to_owned(),
            command: String::new(),
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

    /// The most connections that a server must hold at a time.
    pub fn most_connections(&self) -> usize {
        let sweeps = self.connections.iter().copied().chain(IDLE).max().filter(|_| self.passes() > 0);
        let loops = self.closed_loops.iter().map(|&(connections, _)| connections).max();
        sweeps.unwrap_or(0).max(loops.unwrap_or(0)).max(self.clients)
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
        match () {
            () if self.candidates.is_empty() => Err("there is nobody to compare".to_owned()),
            () if twice.is_some() => Err("one of them is named twice".to_owned()),
            () if self.rounds() == 0 => too_small("rounds"),
            () if self.rounds() > MOST_ROUNDS => Err(format!("there can be at most {MOST_ROUNDS} rounds")),
            () if self.clients == 0 || self.connections.contains(&0) => too_small("connections"),
            () if self.sizes.check().is_err() => self.sizes.check(),
            () if self.closed_loops.iter().any(|&(connections, _)| connections == 0) => {
                too_small("connections")
            }
            () if self.depth == 0 || self.closed_loops.iter().any(|&(_, depth)| depth == 0) => {
                too_small("messages in flight")
            }
            () if self.threads == 0 => too_small("threads"),
            () if self.rate.is_some_and(|rate| !(rate > 0.0 && rate <= HIGHEST_RATE)) => {
                Err(format!("the offered rate must be above zero, and at most {HIGHEST_RATE} per second"))
            }
            () => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Settings {
        let candidate = |name: &&str| Candidate { name: (*name).to_owned(), ..Candidate::default() };
        Settings::new(names.iter().map(candidate).collect())
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        assert_eq!(named(&["a", "b"]).check(), Ok(()));
        assert!(named(&[]).check().unwrap_err().contains("nobody"));
        assert!(named(&["a", "b", "a"]).check().unwrap_err().contains("twice"));
        assert!(Settings { rounds: Some(0), ..named(&["a"]) }.check().unwrap_err().contains("rounds"));
        assert!(
            Settings { rounds: Some(usize::MAX), ..named(&["a"]) }.check().unwrap_err().contains("rounds")
        );
        assert!(Settings { clients: 0, ..named(&["a"]) }.check().unwrap_err().contains("connections"));
        assert!(Settings { connections: vec![0], ..named(&["a"]) }.check().is_err());
        assert!(Settings { closed_loops: vec![(1, 0)], ..named(&["a"]) }.check().is_err());
        assert!(Settings { depth: 0, ..named(&["a"]) }.check().is_err());
        assert!(Settings { threads: 0, ..named(&["a"]) }.check().is_err());
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Settings { rate: Some(rate), ..named(&["a"]) }.check().unwrap_err().contains("rate"));
        }
        assert_eq!(Settings { rate: Some(0.5), ..named(&["a"]) }.check(), Ok(()));
    }

    #[test]
    fn servers_must_hold_what_the_curves_need() {
        assert_eq!(named(&["a"]).most_connections(), 2000);
        assert_eq!(Settings { connections: vec![5000], ..named(&["a"]) }.most_connections(), 5000);
        assert_eq!(Settings { tier: Tier::Quick, ..named(&["a"]) }.most_connections(), 64);
        let loops = Settings { closed_loops: vec![(64, 1), (500, 1)], ..named(&["a"]) };
        assert_eq!(loops.most_connections(), 500);
    }

    #[test]
    fn hostile_shares_are_whole_clients() {
        for percent in HOSTILE {
            assert_eq!(GOOD * percent % (100 - percent), 0, "{percent}");
        }
    }
}
