//! What a comparison has shown, as plain data: `report.json` is this, and the page and the tables are drawn
//! from it alone. Times are in microseconds, rates in messages per second, memory in bytes.

use load::measurement::Tick;
use serde::{Deserialize, Serialize};

/// The version of this data. It changes when what an older program has stored would be misread.
pub const VERSION: u32 = 2;

/// What a comparison has shown.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Comparison {
    /// The [`VERSION`] of the data; 0 where none was stored.
    #[serde(default)]
    pub version: u32,
    /// Where, when and how it was measured.
    pub conditions: Conditions,
    /// Who was measured, in the order of the tables. The one that has a control is the reference.
    pub subjects: Vec<Subject>,
    /// Under which loads, each in every round.
    pub shapes: Vec<Shape>,
    /// One measurement of a subject under a shape, in the order in which they were made.
    pub samples: Vec<Sample>,
    /// Memory against idle connections.
    pub memory: Vec<MemorySample>,
    /// From one pass, for the curves: latency against the offered rate. Screening, not for verdicts.
    pub rate_sweep: Vec<RatePoint>,
    /// From one pass: throughput against connections, closed loop.
    pub connection_sweep: Vec<ConnectionPoint>,
    /// One probe of each subject in each round, for the highest rate within the objective.
    #[serde(default)]
    pub probes: Vec<Probe>,
    /// Whether it was interrupted, so that there are fewer rounds than were asked for.
    pub interrupted: bool,
}

/// Where, when and how it was measured.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Conditions {
    /// The command that does it again.
    pub command: String,
    /// When it began, in seconds since 1970.
    pub started: u64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The seed of the order of the slots and of the bootstrap.
    pub seed: u64,
    /// How many rounds were asked for.
    pub rounds: usize,
    /// `quick`, `default` or `full`.
    pub tier: String,
    /// The handler, with its work: `work cpu:50us`.
    pub handler: String,
    /// The sizes of the messages, as they were asked for.
    pub message_size: String,
    /// The objectives, as they were written: `p99=5ms`. The first is the one that the highest rate keeps to.
    #[serde(default)]
    pub slos: Vec<String>,
    /// How server and generator were pinned to cores, in words; `None` if they were not.
    #[serde(default)]
    pub pinned: Option<String>,
    /// What is sent, in words.
    #[serde(default)]
    pub message: String,
    /// Whether the replies were counted, and not verified: `--expect any`.
    #[serde(default)]
    pub unverified: bool,
    /// Whether replies may be refusals, however many are: `--allow-refusals`.
    #[serde(default)]
    pub allow_refusals: bool,
    /// What else is to be known, a line for each fact: name and value.
    #[serde(default)]
    pub facts: Vec<(String, String)>,
    /// The machine, a line for each fact: name and value.
    pub machine: Vec<(String, String)>,
}

/// Who is measured.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Subject {
    /// Its name; a control has one of its own.
    pub name: String,
    /// Its concurrency model, in a few words.
    pub model: String,
    /// Why it should not be chosen for something new.
    pub legacy: Option<String>,
    /// The name of the subject that this is a second run of, to see how much two runs of the same differ.
    pub control_of: Option<String>,
    /// What kind of server it is.
    #[serde(default)]
    pub kind: Kind,
    /// Why it was not measured, or not to the end.
    pub failed: Option<String>,
    /// How many replies were bad in the measurement for which it failed.
    #[serde(default)]
    pub bad: u64,
    /// Why it can't run on this machine. That is no failure of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<String>,
    /// Where it runs this handler: `worker`, `own thread`, `blocking pool of 512`; `None` if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handler_runs: Option<String>,
}

/// What kind of server a subject is.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub enum Kind {
    /// A backend of this command.
    #[default]
    Backend,
    /// A server written by hand, to measure backends against. It is not ranked among them.
    Handwritten {
        /// The name of the backend whose counterpart it is; `None` if it is everybody's.
        of: Option<String>,
        /// How much care was taken.
        care: Care,
    },
    /// Any other program that listens. It is ranked.
    Server,
    /// A backend of another build of this command. It is held against the backend of this build, and not ranked.
    Build {
        /// The name of the subject that is the same backend of this build.
        of: String,
    },
}

impl Kind {
    /// Whether it is ranked among the others, and not only held against its counterpart.
    pub fn is_ranked(&self) -> bool {
        matches!(self, Self::Backend | Self::Server)
    }
}

/// How much care was taken with a server that was written by hand.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum Care {
    /// As the examples have it.
    Plain,
    /// The replies to all that has arrived in one write.
    Careful,
    /// It sends the bytes back without looking at them, so that nothing can be cheaper.
    Raw,
}

/// A load.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Shape {
    /// Its name in the tables: `64 × 16`, say.
    pub name: String,
    /// How many connections.
    pub connections: usize,
    /// How many messages each has in flight.
    pub depth: usize,
    /// The offered rate of an open loop; `None` is a closed loop.
    pub rate: Option<f64>,
    /// How many hostile clients there are beside these.
    #[serde(default)]
    pub hostile: usize,
}

/// One measurement of a subject under a shape.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Sample {
    /// The round, from 0.
    pub round: usize,
    /// Its slot within the round, from 0.
    pub slot: usize,
    /// Index into [`Comparison::subjects`].
    pub subject: usize,
    /// Index into [`Comparison::shapes`].
    pub shape: usize,
    /// Replies per second.
    pub rate: f64,
    /// Server CPU time in its own code, for each message.
    pub cpu_user: f64,
    /// Server CPU time in the kernel, for each message.
    pub cpu_system: f64,
    /// Context switches of the server, for each message.
    pub switches: f64,
    /// Latency from the scheduled time: percentile and value.
    pub latency: Vec<(f64, f64)>,
    /// Latency from the sending: percentile and value.
    pub service: Vec<(f64, f64)>,
    /// Whether less than 98 % of the offered rate was achieved.
    pub overloaded: bool,
    /// How many replies were bad.
    pub bad: u64,
    /// How many replies were refusals, such as `ERR rate-limited`.
    #[serde(default)]
    pub refused: u64,
    /// One of the refusals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// How many replies were counted.
    #[serde(default)]
    pub replies: u64,
    /// The part of its cores that the server used: 1 is all of them.
    #[serde(default)]
    pub server_busy: f64,
    /// Whether the generator was the limit: then rate and latency say nothing about the server.
    #[serde(default)]
    pub generator_limited: bool,
    /// When what happened, in an open loop.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Tick>,
    /// Share of a core that the busiest thread of the generator used.
    pub generator_busy: f64,
    /// The 99th percentile of the send lag.
    pub send_lag: f64,
    /// The error of Little's law, in a closed loop.
    pub littles_error: Option<f64>,
    /// Share of time in which the host gave this machine's cores to others.
    pub steal: f64,
    /// What makes this measurement doubtful. It is flagged, never dropped.
    pub flags: Vec<String>,
}

/// Whether a subject kept the objective at a rate: one step of its staircase.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Probe {
    /// The round, from 0.
    pub round: usize,
    /// Index into [`Comparison::subjects`].
    pub subject: usize,
    /// The offered rate.
    pub rate: f64,
    /// Whether the objective was kept.
    pub pass: bool,
    /// Whether the generator was the limit: then it is not known who failed.
    #[serde(default)]
    pub generator_limited: bool,
    /// What makes this measurement doubtful. It is flagged, never dropped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
}

/// The memory of a subject with so many idle connections, each having exchanged a message.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct MemorySample {
    /// Index into [`Comparison::subjects`].
    pub subject: usize,
    /// In which pass it was measured, from 0. Of one pass nothing is concluded.
    #[serde(default)]
    pub pass: usize,
    /// How many idle connections.
    pub connections: usize,
    /// Its anonymous memory, in bytes.
    pub bytes: u64,
    /// What makes this measurement doubtful. It is flagged, never dropped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
}

/// Latency at an offered rate.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct RatePoint {
    /// Index into [`Comparison::subjects`].
    pub subject: usize,
    /// The offered rate.
    pub offered: f64,
    /// The rate that was achieved.
    pub achieved: f64,
    /// The median latency from the schedule.
    pub p50: f64,
    /// Its 99th percentile.
    pub p99: f64,
    /// Server CPU time for each message: own code, and kernel.
    pub cpu: (f64, f64),
    /// Whether less than 98 % of the offered rate was achieved: then the latencies say nothing.
    pub overloaded: bool,
}

/// Throughput with so many connections.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct ConnectionPoint {
    /// Index into [`Comparison::subjects`].
    pub subject: usize,
    /// How many connections were asked for.
    pub connections: usize,
    /// How many of them could not be made, or broke.
    pub failed: u64,
    /// Replies per second.
    pub rate: f64,
}
