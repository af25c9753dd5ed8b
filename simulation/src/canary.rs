//! Canaries: defects on purpose, which the checks must find. Only a build with `--cfg anyloop_canaries` contains them.

use std::panic::{AssertUnwindSafe, catch_unwind};

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
    Canary { name: "marks a task without waking it", seeds: &[12, 1000013, 2000000] },
    Canary { name: "marks without waking the worker", seeds: &[1, 1000001, 2000000] },
    Canary { name: "forgets a woken slot", seeds: &[1, 1000001, 2000000] },
    Canary { name: "leaves output in the outbox", seeds: &[2, 1000025, 2000006] },
    Canary { name: "goes on with a full mailbox", seeds: &[69, 1000023, 2000175] },
    Canary { name: "calls an expired timer again", seeds: &[143, 1000240, 2000001] },
    Canary { name: "spins over an empty mailbox", seeds: &[0, 1000002, 2000000] },
    Canary { name: "delivers a push twice", seeds: &[3, 1000010, 2000009] },
    Canary { name: "goes on after an answer that closes", seeds: &[41, 1000095, 2000078] },
    Canary { name: "counts an answer that is not sent", seeds: &[640, 1000301, 2001657] },
    Canary { name: "forgets the input behind a later answer", seeds: &[27, 1000010, 2000023] },
    Canary { name: "accepts an answer after the end", seeds: &[152, 1000022, 2000008] },
    Canary { name: "answers kept messages again", seeds: &[0, 1000010, 2000001] },
    Canary { name: "repeats unsent output", seeds: &[1, 1000001, 2000000] },
    Canary { name: "ignores the progress of the send queue", seeds: &[207, 1000046, 2000180] },
    Canary { name: "loses the rest of a partial send", seeds: &[0, 1000000, 2000002] },
    Canary { name: "takes a partial send for a whole one", seeds: &[0, 1000000, 2000001] },
    Canary { name: "forgets that kept input waits", seeds: &[2, 1000001, 2000003] },
    Canary { name: "answers new input before kept input", seeds: &[3, 1000005, 2000002] },
    Canary { name: "loses the input after a turn", seeds: &[3, 1000010, 2000002] },
    Canary { name: "ends before kept input is answered", seeds: &[163, 1000066, 2000032] },
    Canary { name: "gives up input after an interrupt", seeds: &[414, 1000159, 2000120] },
    Canary { name: "discards what arrived before the stop", seeds: &[179, 1000100, 2000009] },
    Canary { name: "handles messages while an answer is awaited", seeds: &[3, 1000005, 2000023] },
    Canary { name: "forgets an expired timer", seeds: &[139, 1000232, 2000123] },
    Canary { name: "expires before the deadline", seeds: &[3, 1000007, 2000002] },
    Canary { name: "times out before it reads input", seeds: &[18, 1000131, 2000008] },
    Canary { name: "times out a given answer", seeds: &[287, 1000103, 2000071] },
    Canary { name: "restarts the answer timeout after output", seeds: &[128, 1000333, 2000236] },
    Canary { name: "times out although a message was answered", seeds: &[18, 1000012, 2000012] },
    Canary { name: "loses the input after a record", seeds: &[0, 1000010, 2000005] },
    Canary { name: "seals output twice", seeds: &[0, 1000002, 2000001] },
    Canary { name: "closes before the final output of a transform", seeds: &[20, 1000109, 2000271] },
    Canary { name: "forgets plaintext that waits", seeds: &[0, 1000002, 2000001] },
    Canary { name: "forgets records that wait", seeds: &[465, 1000007, 2000559] },
    Canary { name: "forgets the input before the opening", seeds: &[0, 1000002, 2000001] },
    Canary { name: "restarts the timeout of a message at each read", seeds: &[3617, 1002726, 2000943] },
    Canary { name: "forgets the messages after a turn", seeds: &[34, 1000075, 2000101] },
    Canary { name: "goes on after an exit", seeds: &[2, 1000005, 2000006] },
    Canary { name: "forgets a partial message at the end", seeds: &[41, 1000023, 2000008] },
    Canary { name: "ends without an error reply", seeds: &[3, 1000001, 2000002] },
    Canary { name: "never calls `closed`", seeds: &[0, 1000000, 2000000] },
    Canary { name: "calls `closed` twice", seeds: &[0, 1000000, 2000000] },
    Canary { name: "accepts a length that is too large", seeds: &[64, 1000032, 2000167] },
    Canary { name: "scans a line from the wrong place", seeds: &[5, 1000026, 2000002] },
    Canary { name: "accepts a line that is too long", seeds: &[96, 1000033, 2000010] },
    Canary { name: "waits for an answer that was dropped", seeds: &[3, 1000023, 2000020] },
    Canary { name: "exceeds the bound of a mailbox by a byte", seeds: &[516, 1000077, 2000106] },
    Canary { name: "refuses and drops nothing", seeds: &[241, 1000017, 2000058] },
    Canary { name: "drops a newer push", seeds: &[241, 1000017, 2000106] },
    Canary { name: "counts no push that it drops", seeds: &[241, 1000017, 2000058] },
    Canary { name: "tells nothing of dropped pushes", seeds: &[241, 1000017, 2000106] },
    Canary { name: "counts no push that is left at the end", seeds: &[27, 1000011, 2000010] },
    Canary { name: "accepts pushes after the stop", seeds: &[27, 1000005, 2000009] },
    Canary { name: "pushes without a mark", seeds: &[27, 1000013, 2000025] },
    Canary { name: "closes before it delivers pushes", seeds: &[698, 1000243, 2000378] },
    Canary { name: "forgets the limit of replies", seeds: &[4, 1000002, 2000002] },
    Canary { name: "sends replies that were withdrawn", seeds: &[4, 1000002, 2000002] },
    Canary { name: "withdraws earlier replies", seeds: &[4, 1000001, 2000002] },
    Canary { name: "repeats what a partial write has sent", seeds: &[3, 1000002, 2000000] },
    Canary { name: "breaks when a client gives up", seeds: &[1, 1000037, 2000000] },
    Canary { name: "pauses for ever after an error", seeds: &[1, 1000037, 2000023] },
    Canary { name: "leaves the backlog at the stop", seeds: &[61, 1000013, 2000026] },
    Canary { name: "counts no end of a refused client", seeds: &[4, 1000004, 2000001] },
    Canary { name: "counts no bytes that it receives", seeds: &[5, 1000003, 2000001] },
    Canary { name: "forgets the counts at the end", seeds: &[1, 1000001, 2000000] },
    Canary { name: "reads nothing after an event", seeds: &[1, 1000001, 2000003] },
    Canary { name: "writes nothing after an event", seeds: &[1, 1000033, 2000000] },
    Canary { name: "ignores urgent data", seeds: &[40, 1000045, 2000003] },
    Canary { name: "counts no bytes that it writes", seeds: &[1, 1000001, 2000000] },
    Canary { name: "takes every read for the last", seeds: &[2934, 1007368, 2015624] },
    Canary { name: "waits after an interrupt", seeds: &[30, 1000085, 2000033] },
    Canary { name: "pauses beyond a deadline", seeds: &[1044, 1000753, 2000489] },
    Canary { name: "closes without lingering", seeds: &[64, 1000005, 2000031] },
    Canary { name: "loses a push beside another mark", seeds: &[60, 1000332, 2000522] },
    Canary { name: "ignores the cut", seeds: &[63, 1000005, 2000069] },
    Canary { name: "disarms a deadline that was early", seeds: &[7, 1000023, 2000085] },
    Canary { name: "keeps the deadline of another timer", seeds: &[7, 1000003, 2000015] },
    Canary { name: "frees no place", seeds: &[1, 1000023, 2000001] },
    Canary { name: "counts no end", seeds: &[1, 1000001, 2000000] },
    Canary { name: "lingers for ever", seeds: &[5, 1000003, 2000006] },
    Canary { name: "closes before the output is acknowledged", seeds: &[120, 1003341, 2000481] },
    Canary { name: "sweeps too late", seeds: &[1, 1000001, 2000000] },
    Canary { name: "forgets the drain deadline", seeds: &[15, 1000004, 2000000] },
    Canary { name: "stops without telling the acceptor", seeds: &[1, 1000001, 2000000] },
    Canary { name: "forgets the end of a pause", seeds: &[1, 1000037, 2000023] },
    Canary { name: "counts a client twice", seeds: &[1, 1000001, 2000000] },
    Canary { name: "frees a place without a wake-up", seeds: &[1, 1000023, 2000001] },
    Canary { name: "counts the time in which nothing is read", seeds: &[1003596] },
    Canary { name: "keeps a message begun that has ended", seeds: &[929, 1000161, 2000190] },
    Canary { name: "counts idle time from the read", seeds: &[113, 1000214, 2000678] },
    Canary { name: "counts no end of a dropped conversation", seeds: &[109, 1000494, 2000355] },
    Canary { name: "tells no session of the stop", seeds: &[0, 1000002, 2000000] },
    Canary { name: "tells a session of the stop twice", seeds: &[0, 1000002, 2000000] },
    Canary { name: "judges no rate", seeds: &[7, 1000066, 2000088] },
    Canary { name: "judges a rate before its window is over", seeds: &[0, 1000064, 2000001] },
    Canary { name: "forgets a window that ends at a write", seeds: &[43, 1001179, 2000938] },
    Canary { name: "times out what was not written yet", seeds: &[383, 1000332, 2004947] },
    Canary { name: "ignores a failure during an answer", seeds: &[2112, 1001738, 2003140] },
    Canary { name: "pushes to another member of the group", seeds: &[3, 1000017, 2000025] },
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
    let result = catch_unwind(AssertUnwindSafe(|| run(Tape::from_seed(seed), Trace::default()).result));
    common::canary::choose("");
    match result {
        Ok(result) => result.err(),
        Err(payload) => Some(format!("a panic: {}", panic_text(&*payload))),
    }
}

fn panic_text(payload: &(dyn std::any::Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("of unknown kind")
}

/// Disjoint ranges of seeds begin at multiples of this number.
const RANGE: u64 = 1_000_000;

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
