//! The matrix that a report begins with, as plain data: a column for each figure, a cell for each subject.

use serde::Serialize;

use super::estimate::Estimate;
use super::metric::Metric;

/// What a column shows of every subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Figure {
    /// Server CPU time for each message at the rate that is offered to all, in microseconds.
    CpuAtRate,
    /// Server CPU time for each message in a closed loop with the server kept busy, in microseconds.
    CpuAtSaturation,
    /// The highest rate at which the first objective is kept, in messages per second.
    HighestRate,
    /// The 99th percentile of the latency at the rate that is offered to all, in microseconds.
    TailLatency,
    /// The memory that an idle connection adds, in bytes.
    Memory,
    /// The 99th percentile of the latency of good clients beside hostile ones, in microseconds.
    Isolation,
}

/// A figure for every subject that is ranked, and what may be said about it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Column {
    /// What it shows.
    pub figure: Figure,
    /// Under which load: an index into [`Comparison::shapes`](crate::Comparison::shapes); `None` if under none of them.
    pub shape: Option<usize>,
    /// Why it is empty, if it is.
    pub absent: Option<Absent>,
    /// How much two runs of the same subject differ in it.
    pub noise: Noise,
    /// One for each of [`Assessment::ranked`](super::Assessment::ranked), in that order.
    pub cells: Vec<Cell>,
    /// Who has the best value, as an index into [`Comparison::subjects`](crate::Comparison::subjects). Whether it
    /// can be told from the others is what [`equals`](Self::equals) says.
    pub leader: Option<usize>,
    /// Who cannot be told from the leader, as indices into the subjects. The leader alone is best if it is empty.
    pub equals: Vec<usize>,
}

/// Why a column is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Absent {
    /// The highest rate has a meaning only within an objective: `--slo`.
    NeedsSlo,
    /// It takes more time than there is by default: `--full`.
    NeedsFull,
    /// It was not measured, for a reason of its own.
    NotMeasured,
}

/// A subject's figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// Index into [`Comparison::subjects`](crate::Comparison::subjects).
    pub subject: usize,
    /// Its value in the unit of the figure; `None` if there is none.
    pub level: Option<Estimate>,
    /// Its value over the reference's; `None` for the reference, and without values that can be compared.
    pub ratio: Option<Estimate>,
    /// With which probability equals would differ so much somewhere in this column; `None` where nothing was compared.
    pub p: Option<f64>,
    /// What may be said of it against the reference.
    pub told: Told,
    /// In how many rounds something made one of its measurements doubtful for this figure.
    pub flagged: usize,
    /// In the column [`Figure::Isolation`]: its value over its own without hostile clients.
    pub over_alone: Option<Estimate>,
}

/// What may be said of a subject against another one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum Told {
    /// It is the reference itself.
    Reference,
    /// It is better.
    Better,
    /// No difference is seen; if there is one, it is at most this large (0.05 is 5 %).
    Same {
        /// The largest difference that the rounds don't exclude.
        up_to: f64,
    },
    /// It is worse.
    Worse,
    /// Nothing may be said, for this reason.
    NotTold(Why),
}

/// Why nothing may be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Why {
    /// The rounds differ so much that a difference of a tenth could be there unseen.
    TooNoisy {
        /// About how many more rounds would tell.
        more_rounds: usize,
    },
    /// More than a third of the rounds are flagged as doubtful: so many.
    Flagged {
        /// How many rounds are flagged.
        of: usize,
    },
    /// Without the flagged rounds another thing would be said.
    DependsOnFlagged {
        /// How many rounds are flagged.
        of: usize,
    },
    /// With so few rounds chance can make any difference among so many subjects.
    FewRounds {
        /// How many rounds it takes at least.
        needed: usize,
    },
    /// The generator was the limit: the figures say nothing about the server.
    GeneratorLimited,
    /// It could not keep up with the rate: its latency says only how long was measured.
    Overloaded,
    /// It was measured once, so that nobody knows how much chance is in it.
    OnePass,
    /// It failed.
    Failed,
    /// It was not measured, or the reference was not.
    NotMeasured,
}

/// How much two runs of the same subject differ, seen by running the reference twice in each round.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Noise {
    /// The ratio of the second run to the first, in each round that has both.
    pub ratios: Vec<f64>,
    /// Their standard deviation, as a part: two single runs of the same differ by so much. 0.08 is 8 %.
    pub spread: Option<f64>,
    /// Their centre, and the interval in which it lies. It should hold 1.
    pub estimate: Option<Estimate>,
    /// A difference of one subject from another counts only beyond this part: half the width of that interval, and at
    /// least 3 %.
    pub band: f64,
    /// Whether the interval does not hold 1, so that the two runs were told from each other although they are the
    /// same. Then the band reaches to the farther end of the interval.
    pub excludes_one: bool,
}

/// What else was measured of a subject in the rounds: a figure, and no verdict.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Detail {
    /// Index into [`Comparison::subjects`](crate::Comparison::subjects).
    pub subject: usize,
    /// Index into [`Comparison::shapes`](crate::Comparison::shapes).
    pub shape: usize,
    /// What.
    pub metric: Metric,
    /// Its value, in the unit of the metric.
    pub level: Estimate,
    /// In how many rounds it is doubtful.
    pub flagged: usize,
}

impl Figure {
    /// All of them, in the order of the columns.
    pub const ALL: [Self; 6] = [
        Self::CpuAtRate,
        Self::CpuAtSaturation,
        Self::HighestRate,
        Self::TailLatency,
        Self::Memory,
        Self::Isolation,
    ];

    /// Whether a larger value is the better one.
    pub fn more_is_better(self) -> bool {
        self == Self::HighestRate
    }
}

impl Told {
    /// Whether it tells the two apart.
    pub fn is_difference(&self) -> bool {
        matches!(self, Self::Better | Self::Worse)
    }
}
