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
    Canary { name: "marks a task without waking it", seeds: &[1, 1000013, 2000000] },
    Canary { name: "marks without waking the worker", seeds: &[1, 1000001, 2000000] },
    Canary { name: "forgets a woken slot", seeds: &[1, 1000001, 2000000] },
    Canary { name: "leaves output in the outbox", seeds: &[2, 1000001, 2000006] },
    Canary { name: "goes on with a full mailbox", seeds: &[46, 1000018, 2000256] },
    Canary { name: "calls an expired timer again", seeds: &[143, 1000076, 2000111] },
    Canary { name: "spins over an empty mailbox", seeds: &[3, 1000003, 2000000] },
    Canary { name: "delivers a push twice", seeds: &[1, 1000001, 2000000] },
    Canary { name: "goes on after an answer that closes", seeds: &[41, 1000008, 2000078] },
    Canary { name: "counts an answer that is not sent", seeds: &[274, 1001694, 2000504] },
    Canary { name: "forgets the input behind a later answer", seeds: &[47, 1000008, 2000023] },
    Canary { name: "accepts an answer after the end", seeds: &[237, 1000022, 2000094] },
    Canary { name: "answers kept messages again", seeds: &[0, 1000008, 2000006] },
    Canary { name: "repeats unsent output", seeds: &[2, 1000001, 2000000] },
    Canary { name: "ignores the progress of the send queue", seeds: &[149, 1000265, 2000006] },
    Canary { name: "loses the rest of a partial send", seeds: &[5, 1000000, 2000007] },
    Canary { name: "takes a partial send for a whole one", seeds: &[16, 1000000, 2000001] },
    Canary { name: "forgets that kept input waits", seeds: &[5, 1000008, 2000006] },
    Canary { name: "answers new input before kept input", seeds: &[3, 1000033, 2000007] },
    Canary { name: "loses the input after a turn", seeds: &[3, 1000010, 2000007] },
    Canary { name: "ends before kept input is answered", seeds: &[163, 1000016, 2000147] },
    Canary { name: "gives up input after an interrupt", seeds: &[275, 1000774, 2002122] },
    Canary { name: "discards what arrived before the stop", seeds: &[91, 1000080, 2000027] },
    Canary { name: "handles messages while an answer is awaited", seeds: &[0, 1000008, 2000001] },
    Canary { name: "forgets an expired timer", seeds: &[139, 1000015, 2000197] },
    Canary { name: "expires before the deadline", seeds: &[0, 1000007, 2000002] },
    Canary { name: "times out before it reads input", seeds: &[281, 1000008, 2000116] },
    Canary { name: "times out a given answer", seeds: &[233, 1000024, 2000002] },
    Canary { name: "restarts the answer timeout after output", seeds: &[941, 1000381, 2001452] },
    Canary { name: "times out although a message was answered", seeds: &[62, 1000028, 2000012] },
    Canary { name: "loses the input after a record", seeds: &[0, 1000010, 2000005] },
    Canary { name: "seals output twice", seeds: &[0, 1000002, 2000001] },
    Canary { name: "closes before the final output of a transform", seeds: &[49, 1000035, 2000012] },
    Canary { name: "forgets plaintext that waits", seeds: &[6, 1000007, 2000004] },
    Canary { name: "forgets records that wait", seeds: &[251, 1000027, 2000422] },
    Canary { name: "forgets the input before the opening", seeds: &[6, 1000007, 2000004] },
    Canary { name: "restarts the timeout of a message at each read", seeds: &[1252, 1004882, 2003921] },
    Canary { name: "forgets the messages after a turn", seeds: &[52, 1000333, 2000042] },
    Canary { name: "goes on after an exit", seeds: &[10, 1000047, 2000040] },
    Canary { name: "forgets a partial message at the end", seeds: &[60, 1000011, 2000032] },
    Canary { name: "ends without an error reply", seeds: &[0, 1000004, 2000000] },
    Canary { name: "never calls `closed`", seeds: &[0, 1000000, 2000000] },
    Canary { name: "calls `closed` twice", seeds: &[0, 1000000, 2000000] },
    Canary { name: "accepts a length that is too large", seeds: &[157, 1000238, 2000107] },
    Canary { name: "scans a line from the wrong place", seeds: &[22, 1000033, 2000007] },
    Canary { name: "accepts a line that is too long", seeds: &[60, 1000026, 2000010] },
    Canary { name: "waits for an answer that was dropped", seeds: &[8, 1000032, 2000002] },
    Canary { name: "exceeds the bound of a mailbox by a byte", seeds: &[45, 1000018, 2000102] },
    Canary { name: "refuses and drops nothing", seeds: &[45, 1000017, 2000111] },
    Canary { name: "drops a newer push", seeds: &[45, 1000017, 2000111] },
    Canary { name: "counts no push that it drops", seeds: &[45, 1000017, 2000111] },
    Canary { name: "tells nothing of dropped pushes", seeds: &[45, 1000017, 2000111] },
    Canary { name: "counts no push that is left at the end", seeds: &[24, 1000001, 2000000] },
    Canary { name: "accepts pushes after the stop", seeds: &[7, 1000030, 2000009] },
    Canary { name: "pushes without a mark", seeds: &[1, 1000001, 2000000] },
    Canary { name: "closes before it delivers pushes", seeds: &[67, 1000008, 2000640] },
    Canary { name: "forgets the limit of replies", seeds: &[4, 1000017, 2000004] },
    Canary { name: "sends replies that were withdrawn", seeds: &[4, 1000017, 2000004] },
    Canary { name: "withdraws earlier replies", seeds: &[4, 1000007, 2000000] },
    Canary { name: "repeats what a partial write has sent", seeds: &[10, 1000010, 2000000] },
    Canary { name: "breaks when a client gives up", seeds: &[36, 1000091, 2000035] },
    Canary { name: "pauses for ever after an error", seeds: &[29, 1000011, 2000023] },
    Canary { name: "leaves the backlog at the stop", seeds: &[5, 1000013, 2000026] },
    Canary { name: "counts no end of a refused client", seeds: &[1, 1000004, 2000006] },
    Canary { name: "counts no bytes that it receives", seeds: &[5, 1000003, 2000001] },
    Canary { name: "forgets the counts at the end", seeds: &[1, 1000001, 2000000] },
    Canary { name: "reads nothing after an event", seeds: &[4, 1000005, 2000003] },
    Canary { name: "writes nothing after an event", seeds: &[2, 1000001, 2000013] },
    Canary { name: "ignores urgent data", seeds: &[105, 1000005, 2000042] },
    Canary { name: "counts no bytes that it writes", seeds: &[1, 1000001, 2000000] },
    Canary { name: "takes every read for the last", seeds: &[1169, 1000725, 2010696] },
    Canary { name: "waits after an interrupt", seeds: &[142, 1000118, 2000008] },
    Canary { name: "pauses beyond a deadline", seeds: &[2406, 1000554, 2001294] },
    Canary { name: "closes without lingering", seeds: &[4, 1000006, 2000000] },
    Canary { name: "loses a push beside another mark", seeds: &[119, 1000106, 2000443] },
    Canary { name: "ignores the cut", seeds: &[79, 1000130, 2000101] },
    Canary { name: "disarms a deadline that was early", seeds: &[146, 1000105, 2000000] },
    Canary { name: "keeps the deadline of another timer", seeds: &[2, 1000038, 2000000] },
    Canary { name: "frees no place", seeds: &[1, 1000001, 2000000] },
    Canary { name: "counts no end", seeds: &[1, 1000001, 2000000] },
    Canary { name: "lingers for ever", seeds: &[2, 1000021, 2000000] },
    Canary { name: "closes before the output is acknowledged", seeds: &[2225, 1008328, 2002197] },
    Canary { name: "sweeps too late", seeds: &[1, 1000001, 2000000] },
    Canary { name: "forgets the drain deadline", seeds: &[1, 1000004, 2000006] },
    Canary { name: "stops without telling the acceptor", seeds: &[2, 1000001, 2000000] },
    Canary { name: "forgets the end of a pause", seeds: &[29, 1000011, 2000023] },
    Canary { name: "counts a client twice", seeds: &[1, 1000001, 2000000] },
    Canary { name: "frees a place without a wake-up", seeds: &[5, 1000019, 2000001] },
    Canary { name: "counts the time in which nothing is read", seeds: &[21415, 1002701, 2003032] },
    Canary { name: "keeps a message begun that has ended", seeds: &[193, 1000449, 2000183] },
    Canary { name: "counts idle time from the read", seeds: &[1519, 1000105, 2001189] },
    Canary { name: "counts no end of a dropped conversation", seeds: &[144, 1000121, 2000289] },
    Canary { name: "tells no session of the stop", seeds: &[1, 1000003, 2000000] },
    Canary { name: "tells a session of the stop twice", seeds: &[1, 1000003, 2000000] },
    Canary { name: "judges no rate", seeds: &[174, 1000099, 2000104] },
    Canary { name: "judges a rate before its window is over", seeds: &[49, 1000015, 2000081] },
    Canary { name: "forgets a window that ends at a write", seeds: &[1913, 1000099, 2000244] },
    Canary { name: "times out what was not written yet", seeds: &[4150, 1000941, 2000056] },
    Canary { name: "ignores a failure during an answer", seeds: &[3260, 1006211, 2002753] },
    Canary { name: "checks the input after a preamble", seeds: &[490, 1000454, 2000064] },
    Canary { name: "does not check what a preamble leaves", seeds: &[99, 1000026, 2000064] },
    Canary { name: "times an answer from the one before", seeds: &[6046, 1011804, 2001891] },
    Canary { name: "writes an error where it must not block", seeds: &[2, 1000009, 2000006] },
    Canary { name: "pushes to another member of the group", seeds: &[3, 1000017, 2000032] },
];

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
