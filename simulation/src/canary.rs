//! Canaries: defects on purpose, which the checks must find. Only a build with `--cfg anyloop_canaries` contains them.

use crate::{Tape, Trace, run};

/// A defect, and seeds that find it.
#[derive(Clone, Copy, Debug)]
pub struct Canary {
    /// Its name: what the server does wrong.
    pub name: &'static str,
    /// The seeds that are run to find it.
    pub seeds: &'static [u64],
}

/// All defects.
pub const CANARIES: &[Canary] = &[
    Canary { name: "marks a task without waking it", seeds: &[1, 1000004, 2000006] },
    Canary { name: "marks without waking the worker", seeds: &[1, 1000001, 2000000] },
    Canary { name: "forgets a woken slot", seeds: &[1, 1000001, 2000000] },
    Canary { name: "leaves output in the outbox", seeds: &[2, 1000021, 2000001] },
    Canary { name: "goes on with a full mailbox", seeds: &[207, 1000001, 2000009] },
    Canary { name: "calls an expired timer again", seeds: &[8, 1000079, 2000193] },
    Canary { name: "spins over an empty mailbox", seeds: &[1, 1000000, 2000001] },
    Canary { name: "delivers a push twice", seeds: &[1, 1000000, 2000001] },
    Canary { name: "goes on after an answer that closes", seeds: &[131, 1000031, 2000018] },
    Canary { name: "counts an answer that is not sent", seeds: &[339, 1002266, 2002291] },
    Canary { name: "forgets the input behind a later answer", seeds: &[8, 1000015, 2000069] },
    Canary { name: "accepts an answer after the end", seeds: &[11, 1000021, 2000046] },
    Canary { name: "answers kept messages again", seeds: &[0, 1000021, 2000001] },
    Canary { name: "repeats unsent output", seeds: &[1, 1000004, 2000003] },
    Canary { name: "ignores the progress of the send queue", seeds: &[636, 1000033, 2000242] },
    Canary { name: "loses a client whose send was interrupted", seeds: &[13, 1000011, 2000001] },
    Canary { name: "loses the rest of a partial send", seeds: &[5, 1000000, 2000002] },
    Canary { name: "takes a partial send for a whole one", seeds: &[5, 1000000, 2000001] },
    Canary { name: "forgets that kept input waits", seeds: &[2, 1000009, 2000011] },
    Canary { name: "answers new input before kept input", seeds: &[5, 1000013, 2000018] },
    Canary { name: "loses the input after a turn", seeds: &[5, 1000013, 2000018] },
    Canary { name: "ends before kept input is answered", seeds: &[116, 1000061, 2000032] },
    Canary { name: "gives up input after an interrupt", seeds: &[1304, 1001111, 2000079] },
    Canary { name: "discards what arrived before the stop", seeds: &[1, 1000020, 2000014] },
    Canary { name: "handles messages while an answer is awaited", seeds: &[0, 1000000, 2000012] },
    Canary { name: "forgets an expired timer", seeds: &[61, 1000247, 2000037] },
    Canary { name: "expires before the deadline", seeds: &[3, 1000000, 2000004] },
    Canary { name: "times out before it reads input", seeds: &[104, 1000018, 2000045] },
    Canary { name: "times out a given answer", seeds: &[76, 1000112, 2000133] },
    Canary { name: "restarts the answer timeout after output", seeds: &[57, 1000766, 2000598] },
    Canary { name: "times out although a message was answered", seeds: &[3, 1000018, 2000030] },
    Canary { name: "loses the input after a record", seeds: &[0, 1000022, 2000037] },
    Canary { name: "seals output twice", seeds: &[0, 1000002, 2000001] },
    Canary { name: "closes before the final output of a transform", seeds: &[25, 1000242, 2000022] },
    Canary { name: "forgets plaintext that waits", seeds: &[0, 1000007, 2000001] },
    Canary { name: "forgets records that wait", seeds: &[524, 1000122, 2000240] },
    Canary { name: "forgets the input before the opening", seeds: &[0, 1000007, 2000001] },
    Canary { name: "restarts the timeout of a message at each read", seeds: &[3410, 1000215, 2001277] },
    Canary { name: "forgets the messages after a turn", seeds: &[35, 1000090, 2000015] },
    Canary { name: "goes on after an exit", seeds: &[7, 1000004, 2000053] },
    Canary { name: "forgets a partial message at the end", seeds: &[2, 1000066, 2000010] },
    Canary { name: "ends without an error reply", seeds: &[0, 1000000, 2000004] },
    Canary { name: "never calls `closed`", seeds: &[0, 1000000, 2000000] },
    Canary { name: "calls `closed` twice", seeds: &[0, 1000000, 2000000] },
    Canary { name: "accepts a length that is too large", seeds: &[116, 1000010, 2000051] },
    Canary { name: "scans a line from the wrong place", seeds: &[179, 1000033, 2000018] },
    Canary { name: "accepts a line that is too long", seeds: &[5, 1000110, 2000005] },
    Canary { name: "waits for an answer that was dropped", seeds: &[8, 1000007, 2000012] },
    Canary { name: "exceeds the bound of a mailbox by a byte", seeds: &[82, 1000021, 2000015] },
    Canary { name: "refuses and drops nothing", seeds: &[313, 1000021, 2000015] },
    Canary { name: "drops a newer push", seeds: &[313, 1000021, 2000015] },
    Canary { name: "counts no push that it drops", seeds: &[313, 1000021, 2000015] },
    Canary { name: "tells nothing of dropped pushes", seeds: &[313, 1000021, 2000015] },
    Canary { name: "counts no push that is left at the end", seeds: &[10, 1000008, 2000006] },
    Canary { name: "accepts pushes after the stop", seeds: &[1, 1000000, 2000007] },
    Canary { name: "pushes without a mark", seeds: &[1, 1000001, 2000015] },
    Canary { name: "closes before it delivers pushes", seeds: &[25, 1000049, 2000098] },
    Canary { name: "forgets the limit of replies", seeds: &[15, 1000000, 2000007] },
    Canary { name: "sends replies that were withdrawn", seeds: &[9, 1000000, 2000004] },
    Canary { name: "withdraws earlier replies", seeds: &[11, 1000000, 2000007] },
    Canary { name: "repeats what a partial write has sent", seeds: &[3, 1000004, 2000016] },
    Canary { name: "breaks when a client gives up", seeds: &[15, 1000033, 2000035] },
    Canary { name: "pauses for ever after an error", seeds: &[12, 1000033, 2000010] },
    Canary { name: "leaves the backlog at the stop", seeds: &[24, 1000068, 2000100] },
    Canary { name: "counts no end of a refused client", seeds: &[4, 1000013, 2000001] },
    Canary { name: "counts no bytes that it receives", seeds: &[5, 1000011, 2000001] },
    Canary { name: "forgets the counts at the end", seeds: &[1, 1000001, 2000000] },
    Canary { name: "reads nothing after an event", seeds: &[1, 1000006, 2000008] },
    Canary { name: "writes nothing after an event", seeds: &[4, 1000001, 2000006] },
    Canary { name: "ignores urgent data", seeds: &[40, 1000087, 2000010] },
    Canary { name: "counts no bytes that it writes", seeds: &[1, 1000001, 2000000] },
    Canary { name: "takes every read for the last", seeds: &[305, 1002387, 2007984] },
    Canary { name: "waits after an interrupt", seeds: &[63, 1000055, 2000033] },
    Canary { name: "pauses beyond a deadline", seeds: &[391, 1000013, 2000428] },
    Canary { name: "closes without lingering", seeds: &[2, 1000006, 2000016] },
    Canary { name: "loses a push beside another mark", seeds: &[109, 1000168, 2000609] },
    Canary { name: "ignores the cut", seeds: &[36, 1000021, 2000031] },
    Canary { name: "disarms a deadline that was early", seeds: &[24, 1000080, 2000019] },
    Canary { name: "keeps the deadline of another timer", seeds: &[19, 1000045, 2000019] },
    Canary { name: "frees no place", seeds: &[1, 1000001, 2000000] },
    Canary { name: "counts no end", seeds: &[1, 1000001, 2000000] },
    Canary { name: "lingers for ever", seeds: &[7, 1000019, 2000008] },
    Canary { name: "closes before the output is acknowledged", seeds: &[1039, 1000105, 2000586] },
    Canary { name: "sweeps too late", seeds: &[4, 1000001, 2000001] },
    Canary { name: "forgets the drain deadline", seeds: &[5, 1000001, 2000018] },
    Canary { name: "stops without telling the acceptor", seeds: &[1, 1000001, 2000000] },
    Canary { name: "forgets the end of a pause", seeds: &[12, 1000033, 2000010] },
    Canary { name: "counts a client twice", seeds: &[1, 1000001, 2000000] },
    Canary { name: "frees a place without a wake-up", seeds: &[46, 1000037, 2000016] },
    Canary { name: "counts the time in which nothing is read", seeds: &[325, 1000450, 2001878] },
    Canary { name: "keeps a message begun that has ended", seeds: &[104, 1000066, 2000149] },
    Canary { name: "counts idle time from the read", seeds: &[1657, 1000225, 2000193] },
    Canary { name: "counts no end of a dropped conversation", seeds: &[109, 1000185, 2000443] },
    Canary { name: "tells no session of the stop", seeds: &[1, 1000000, 2000002] },
    Canary { name: "tells a session of the stop twice", seeds: &[1, 1000000, 2000002] },
    Canary { name: "judges no rate", seeds: &[84, 1000008, 2000134] },
    Canary { name: "judges a rate before its window is over", seeds: &[41, 1000014, 2000056] },
    Canary { name: "forgets a window that ends at a write", seeds: &[144, 1000741, 2000170] },
    Canary { name: "times out what was not written yet", seeds: &[5709, 1002119, 2003160] },
    Canary { name: "ignores a failure during an answer", seeds: &[1357, 1003629, 2000800] },
    Canary { name: "checks the input after a preamble", seeds: &[109, 1000033, 2000183] },
    Canary { name: "does not check what a preamble leaves", seeds: &[99, 1000026, 2000049] },
    Canary { name: "times an answer from the one before", seeds: &[22161, 1012155, 2012967] },
    Canary { name: "writes an error where it must not block", seeds: &[19, 1000009, 2000011] },
    Canary { name: "admits a client too many", seeds: &[4, 1000013, 2000001] },
    Canary { name: "refuses a client while there is room", seeds: &[4, 1000013, 2000000] },
    Canary { name: "counts late clients as busy", seeds: &[24, 1000057, 2000100] },
    Canary { name: "accepts again at once after an error", seeds: &[12, 1000033, 2000003] },
    Canary { name: "ends no turn after its messages", seeds: &[35, 1000090, 2000015] },
    Canary { name: "delivers pushes without end", seeds: &[4188, 1000971, 2001844] },
    Canary { name: "discards input without end", seeds: &[1275, 1001797, 2001251] },
    Canary { name: "refuses a client that came before the hand-over", seeds: &[797, 1000449, 2001057] },
    Canary { name: "tells a late client nothing of the stop", seeds: &[4727, 1000792, 2001057] },
    Canary { name: "goes on with a shared listener", seeds: &[2, 1000003, 2000001] },
    Canary { name: "forgets the hand-over", seeds: &[2, 1000003, 2000009] },
    Canary { name: "lets a panic of an application escape", seeds: &[76, 1000287, 2000020] },
    Canary { name: "lets a panic of a destructor escape", seeds: &[144, 1000138, 2000016] },
    Canary { name: "lets a panic of a captured value escape", seeds: &[286, 1000029, 2001348] },
    Canary { name: "believes a protocol that has used too much", seeds: &[76, 1000081, 2000137] },
    Canary { name: "believes a transform that has used too much", seeds: &[478, 1000034, 2000156] },
    Canary { name: "pushes to another member of the group", seeds: &[3, 1000018, 2000032] },
];

/// Defects in the simulation itself, for the tests of its command.
pub const OWN: [&str; 3] = ["panics in a step", "panics in a session", "never ends a step"];

/// The defect with this name.
///
/// # Errors
/// If there is none.
pub fn defect(name: &str) -> Result<&'static str, String> {
    let mut names = CANARIES.iter().map(|canary| canary.name).chain(OWN);
    names.find(|known| *known == name).ok_or_else(|| "there is no such defect; --canaries lists them".into())
}

impl Canary {
    /// Runs seeds until one finds the defect: that is, it is violated, and passes without the defect. Returns that seed and what
    /// was violated.
    pub fn find(&self, seeds: impl IntoIterator<Item = u64>) -> Option<(u64, String)> {
        seeds.into_iter().find_map(|seed| {
            let found = violation(self.name, seed)?;
            violation("", seed).is_none().then_some((seed, found))
        })
    }
}

/// Runs a seed with a defect, or with none. Returns what was violated.
fn violation(defect: &'static str, seed: u64) -> Option<String> {
    common::canary::choose(defect);
    let ran = run(Tape::from_seed(seed), Trace::default());
    common::canary::choose("");
    ran.result.err()
}

/// Every defect is found within this number of seeds of each range.
pub const MOST: u64 = 100_000;
/// Disjoint ranges of seeds begin at multiples of this number.
pub const RANGE: u64 = 1_000_000;

/// How soon a defect was found in disjoint ranges of seeds.
#[derive(Debug)]
pub struct Found {
    /// The number of seeds until it was found in each range, in ascending order.
    pub counts: Vec<u64>,
    /// The seeds that found it, and what the first one violated.
    pub seeds: Vec<u64>,
    /// What was violated first.
    pub violation: String,
    /// In how many ranges it was not found.
    pub missing: u64,
}

impl Found {
    /// Looks for a defect in `ranges` ranges, in each with `most` seeds at most. It is given up after two ranges without success.
    pub fn look_for(canary: Canary, ranges: u64, most: u64) -> Self {
        let mut found = Self { counts: Vec::new(), seeds: Vec::new(), violation: String::new(), missing: 0 };
        for first in (0..ranges).map(|range| range * RANGE) {
            match canary.find(first..first + most) {
                Some((seed, violation)) => {
                    found.counts.push(seed - first + 1);
                    found.seeds.push(seed);
                    if found.violation.is_empty() {
                        found.violation = violation;
                    }
                }
                None => found.missing += 1,
            }
            if found.missing == 2 {
                break;
            }
        }
        found.counts.sort_unstable();
        found
    }

    /// The median of the numbers of seeds.
    pub fn median(&self) -> Option<u64> {
        self.counts.get(self.counts.len() / 2).copied()
    }
}
