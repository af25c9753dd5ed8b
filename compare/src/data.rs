//! The result of a comparison, as plain data. `report.json` contains exactly this, and page and tables are made from it
//! alone. Times are in microseconds, rates in messages per second, memory in bytes.

use load::measurement::Tick;
use serde::{Deserialize, Serialize};

/// The version of this format. It changes when data that an older program has stored would be misread.
pub const VERSION: u32 = 2;

/// The result of a comparison.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Comparison {
    /// The [`VERSION`] of the format; 0 if none was stored.
    #[serde(default)]
    pub version: u32,
    /// Where, when and how it was measured.
    pub conditions: Conditions,
    /// The servers that were measured, in the order of the tables. The one that has a control is the reference.
    pub subjects: Vec<Subject>,
    /// The loads. Each is measured in every round.
    pub shapes: Vec<Shape>,
    /// One measurement of a subject under a shape, in the order in which they were made.
    pub samples: Vec<Sample>,
    /// Memory against idle connections.
    pub memory: Vec<MemorySample>,
    /// Latency against the offered rate, for the curves. These points are for screening; no verdict uses them.
    pub rate_sweep: Vec<RatePoint>,
    /// Throughput against connections, in a closed loop. For the curves too.
    pub connection_sweep: Vec<ConnectionPoint>,
    /// The probes for the highest rate within the objective: one of each subject in each round.
    #[serde(default)]
    pub probes: Vec<Probe>,
    /// Whether it was interrupted, so that there are fewer rounds than requested.
    pub interrupted: bool,
}

impl Comparison {
    /// Whether its loads have subscribers, so that its figures are of pushes.
    pub(crate) fn has_subscribers(&self) -> bool {
        self.shapes.iter().any(|shape| shape.subscribers > 0)
    }
}

/// Where, when and how it was measured.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Conditions {
    /// The command that repeats it.
    pub command: String,
    /// When it began, in seconds since the Unix epoch.
    pub started: u64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The seed of the order within the rounds and of the bootstrap.
    pub seed: u64,
    /// How many rounds were requested.
    pub rounds: usize,
    /// `quick`, `default` or `full`.
    pub tier: String,
    /// The handler, with its work: `work cpu:50us`.
    pub handler: String,
    /// The sizes of the messages, as `--message-size` takes them.
    pub message_size: String,
    /// The objectives, as `--slo` takes them: `p99=5ms`. The highest rate is the highest one that meets the first.
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
    /// Whether any number of replies may be refusals: `--allow-refusals`.
    #[serde(default)]
    pub allow_refusals: bool,
    /// Further facts: name and value.
    #[serde(default)]
    pub facts: Vec<(String, String)>,
    /// Facts about the machine: name and value.
    pub machine: Vec<(String, String)>,
}

/// A server that is measured.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Subject {
    /// Its name. A control's differs from its subject's.
    pub name: String,
    /// Its concurrency model, in a few words.
    pub model: String,
    /// Why it should not be chosen for something new.
    pub legacy: Option<String>,
    /// If this is a control: the name of the subject that it is a second run of. It shows how much two runs of the same
    /// server differ.
    pub control_of: Option<String>,
    /// What kind of server it is.
    #[serde(default)]
    pub kind: Kind,
    /// Why it was not measured, or not in all rounds.
    pub failed: Option<String>,
    /// How many replies and pushes were bad in the measurement for which it failed.
    #[serde(default)]
    pub bad: u64,
    /// The loads with subscribers whose connections it can't hold, or did not hold. That doesn't count as a failure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_held: Vec<NotHeld>,
    /// Why it can't run on this machine. That doesn't count as a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<String>,
    /// Where it runs this handler: `worker`, `own thread`, `blocking pool of 512`; `None` if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handler_runs: Option<String>,
}

/// A load under which a subject was not measured, or not in all rounds.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct NotHeld {
    /// Index into [`Comparison::shapes`].
    pub shape: usize,
    /// Why not, as a clause.
    pub why: String,
}

/// What kind of server a subject is.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub enum Kind {
    /// A backend of this command.
    #[default]
    Backend,
    /// A server written by hand, with which backends are compared. It is not ranked.
    Handwritten {
        /// The name of the backend whose counterpart it is; `None` if it is the counterpart of all.
        of: Option<String>,
        /// How it is written.
        care: Care,
    },
    /// Any other program that listens. It is ranked.
    Server,
    /// A backend of another build of this command. It is compared with the same backend of this build, and not ranked.
    Build {
        /// The name of the subject that is the same backend of this build.
        of: String,
    },
}

impl Kind {
    /// Whether it is ranked, and not only compared with its counterpart.
    pub fn is_ranked(&self) -> bool {
        matches!(self, Self::Backend | Self::Server)
    }
}

/// How a handwritten server is written.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum Care {
    /// As tutorials and documentation show it.
    Plain,
    /// It writes the replies to all messages that have arrived at once.
    Careful,
    /// A raw loop: it sends bytes back without parsing them. No server that parses messages can cost less.
    Raw,
}

/// A load: how many connections, with how many messages in flight, at which rate.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Shape {
    /// Its name in the tables: `64 × 16`, say.
    pub name: String,
    /// How many connections.
    pub connections: usize,
    /// How many messages each connection has in flight.
    pub depth: usize,
    /// The offered rate of an open loop; `None` is a closed loop.
    pub rate: Option<f64>,
    /// How many hostile clients there are in addition.
    #[serde(default)]
    pub hostile: usize,
    /// How many subscribers there are in addition: connections that only listen, and are pushed every message of the
    /// others.
    #[serde(default)]
    pub subscribers: usize,
}

/// One measurement of a subject under a shape.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Sample {
    /// The round, from 0.
    pub round: usize,
    /// Its position in the order of the round, from 0.
    pub slot: usize,
    /// Index into [`Comparison::subjects`].
    pub subject: usize,
    /// Index into [`Comparison::shapes`].
    pub shape: usize,
    /// Replies per second.
    pub rate: f64,
    /// CPU time of the server in user mode, for each message.
    pub cpu_user: f64,
    /// CPU time of the server in the kernel, for each message.
    pub cpu_system: f64,
    /// Context switches of the server, for each message.
    pub switches: f64,
    /// Latency from the scheduled time: percentile and value.
    pub latency: Vec<(f64, f64)>,
    /// Latency from the sending: percentile and value.
    pub service: Vec<(f64, f64)>,
    /// Whether less than 98 % of the offered rate was achieved.
    pub overloaded: bool,
    /// How many replies and pushes were bad.
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
    /// The share of its cores that the server used: 1 is all of them.
    #[serde(default)]
    pub server_busy: f64,
    /// Whether the generator was the bottleneck: then rate and latency say nothing about the server.
    #[serde(default)]
    pub generator_limited: bool,
    /// What the subscribers received, under a load with subscribers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliveries: Option<Deliveries>,
    /// What happened when, in an open loop.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Tick>,
    /// The share of a core that the generator's busiest thread used.
    pub generator_busy: f64,
    /// The 99th percentile of the send lag.
    pub send_lag: f64,
    /// The deviation from Little's law, in a closed loop.
    pub littles_error: Option<f64>,
    /// The share of time that the hypervisor gave to other machines (steal time).
    pub steal: f64,
    /// What makes this measurement doubtful. It is flagged, never dropped.
    pub flags: Vec<String>,
}

/// What subscribers received in a measurement.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Deliveries {
    /// Messages that a subscriber received, warm-up included. Each is counted once for each subscriber.
    pub count: u64,
    /// Messages that a subscriber did not receive, counted in the same way.
    pub missed: u64,
    /// Deliveries per second.
    pub rate: f64,
    /// CPU time of the server for each delivery, in user mode.
    pub cpu_user: f64,
    /// CPU time of the server for each delivery, in the kernel.
    pub cpu_system: f64,
    /// The time from the sending of a message to its delivery: percentile and value.
    pub delay: Vec<(f64, f64)>,
}

/// Whether a subject met the objective at a rate: one step of its staircase.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Probe {
    /// The round, from 0.
    pub round: usize,
    /// Index into [`Comparison::subjects`].
    pub subject: usize,
    /// The offered rate.
    pub rate: f64,
    /// Whether the objective was met.
    pub pass: bool,
    /// Whether the generator was the bottleneck: then a miss may not be the server's.
    #[serde(default)]
    pub generator_limited: bool,
    /// What makes this measurement doubtful. It is flagged, never dropped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
}

/// The memory of a subject that holds idle connections, each of which has exchanged one message.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct MemorySample {
    /// Index into [`Comparison::subjects`].
    pub subject: usize,
    /// The pass in which it was measured, from 0. A single pass gives no verdict.
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
    /// The median latency from the scheduled time.
    pub p50: f64,
    /// The 99th percentile of that latency.
    pub p99: f64,
    /// CPU time of the server for each message: in user mode, and in the kernel.
    pub cpu: (f64, f64),
    /// Whether less than 98 % of the offered rate was achieved: then the latencies are meaningless.
    pub overloaded: bool,
}

/// Throughput with a number of connections.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct ConnectionPoint {
    /// Index into [`Comparison::subjects`].
    pub subject: usize,
    /// How many connections were requested.
    pub connections: usize,
    /// How many of them could not be opened, or broke.
    pub failed: u64,
    /// Replies per second.
    pub rate: f64,
}
