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
    Canary { name: "marks a task without waking it", seeds: &[2, 1000004, 2000000] },
    Canary { name: "marks without waking the worker", seeds: &[1, 1000001, 2000000] },
    Canary { name: "forgets a woken slot", seeds: &[1, 1000001, 2000000] },
    Canary { name: "leaves output in the outbox", seeds: &[2, 1000025, 2000006] },
    Canary { name: "goes on with a full mailbox", seeds: &[3, 1000168, 2000101] },
    Canary { name: "calls an expired timer again", seeds: &[111, 1000029, 2000182] },
    Canary { name: "spins over an empty mailbox", seeds: &[0, 1000002, 2000000] },
    Canary { name: "delivers a push twice", seeds: &[3, 1000000, 2000000] },
    Canary { name: "goes on after an answer that closes", seeds: &[60, 1000119, 2000084] },
    Canary { name: "counts an answer that is not sent", seeds: &[1276, 1000589, 2000333] },
    Canary { name: "forgets the input behind a later answer", seeds: &[60, 1000010, 2000004] },
    Canary { name: "accepts an answer after the end", seeds: &[7, 1000022, 2000004] },
    Canary { name: "answers kept messages again", seeds: &[6, 1000002, 2000004] },
    Canary { name: "repeats unsent output", seeds: &[2, 1000001, 2000000] },
    Canary { name: "ignores the progress of the send queue", seeds: &[90, 1000155, 2000018] },
    Canary { name: "loses the rest of a partial send", seeds: &[0, 1000000, 2000002] },
    Canary { name: "takes a partial send for a whole one", seeds: &[0, 1000000, 2000001] },
    Canary { name: "forgets that kept input waits", seeds: &[2, 1000009, 2000003] },
    Canary { name: "answers new input before kept input", seeds: &[6, 1000013, 2000002] },
    Canary { name: "loses the input after a turn", seeds: &[27, 1000018, 2000002] },
    Canary { name: "ends before kept input is answered", seeds: &[9, 1000184, 2000032] },
    Canary { name: "gives up input after an interrupt", seeds: &[104, 1001283, 2000851] },
    Canary { name: "discards what arrived before the stop", seeds: &[18, 1000020, 2000048] },
    Canary { name: "handles messages while an answer is awaited", seeds: &[22, 1000005, 2000001] },
    Canary { name: "forgets an expired timer", seeds: &[138, 1000118, 2000042] },
    Canary { name: "expires before the deadline", seeds: &[0, 1000010, 2000004] },
    Canary { name: "times out before it reads input", seeds: &[18, 1000026, 2000020] },
    Canary { name: "times out a given answer", seeds: &[3, 1000324, 2000012] },
    Canary { name: "restarts the answer timeout after output", seeds: &[430, 1000381, 2000024] },
    Canary { name: "times out although a message was answered", seeds: &[3, 1000002, 2000020] },
    Canary { name: "loses the input after a record", seeds: &[6, 1000007, 2000009] },
    Canary { name: "seals output twice", seeds: &[0, 1000002, 2000001] },
    Canary { name: "closes before the final output of a transform", seeds: &[242, 1000109, 2000036] },
    Canary { name: "forgets plaintext that waits", seeds: &[0, 1000007, 2000001] },
    Canary { name: "forgets records that wait", seeds: &[141, 1000007, 2000355] },
    Canary { name: "forgets the input before the opening", seeds: &[0, 1000005, 2000001] },
    Canary { name: "restarts the timeout of a message at each read", seeds: &[7101, 1002305, 2004357] },
    Canary { name: "forgets the messages after a turn", seeds: &[219, 1000122, 2000220] },
    Canary { name: "goes on after an exit", seeds: &[2, 1000004, 2000014] },
    Canary { name: "forgets a partial message at the end", seeds: &[26, 1000036, 2000020] },
    Canary { name: "ends without an error reply", seeds: &[0, 1000000, 2000001] },
    Canary { name: "never calls `closed`", seeds: &[0, 1000000, 2000000] },
    Canary { name: "calls `closed` twice", seeds: &[0, 1000000, 2000000] },
    Canary { name: "accepts a length that is too large", seeds: &[0, 1000032, 2000117] },
    Canary { name: "scans a line from the wrong place", seeds: &[63, 1000026, 2000002] },
    Canary { name: "accepts a line that is too long", seeds: &[41, 1000026, 2000010] },
    Canary { name: "waits for an answer that was dropped", seeds: &[3, 1000013, 2000020] },
    Canary { name: "exceeds the bound of a mailbox by a byte", seeds: &[3, 1000302, 2000006] },
    Canary { name: "refuses and drops nothing", seeds: &[7, 1000157, 2000006] },
    Canary { name: "drops a newer push", seeds: &[7, 1000157, 2000006] },
    Canary { name: "counts no push that it drops", seeds: &[7, 1000157, 2000006] },
    Canary { name: "tells nothing of dropped pushes", seeds: &[7, 1000157, 2000006] },
    Canary { name: "counts no push that is left at the end", seeds: &[1, 1000011, 2000006] },
    Canary { name: "accepts pushes after the stop", seeds: &[7, 1000009, 2000044] },
    Canary { name: "pushes without a mark", seeds: &[3, 1000033, 2000006] },
    Canary { name: "closes before it delivers pushes", seeds: &[213, 1000161, 2000161] },
    Canary { name: "forgets the limit of replies", seeds: &[37, 1000000, 2000002] },
    Canary { name: "sends replies that were withdrawn", seeds: &[22, 1000017, 2000002] },
    Canary { name: "withdraws earlier replies", seeds: &[6, 1000017, 2000004] },
    Canary { name: "repeats what a partial write has sent", seeds: &[3, 1000004, 2000000] },
    Canary { name: "breaks when a client gives up", seeds: &[53, 1000065, 2000000] },
    Canary { name: "pauses for ever after an error", seeds: &[1, 1000037, 2000027] },
    Canary { name: "leaves the backlog at the stop", seeds: &[190, 1000019, 2000008] },
    Canary { name: "counts no end of a refused client", seeds: &[5, 1000004, 2000001] },
    Canary { name: "counts no bytes that it receives", seeds: &[5, 1000003, 2000001] },
    Canary { name: "forgets the counts at the end", seeds: &[1, 1000001, 2000000] },
    Canary { name: "reads nothing after an event", seeds: &[4, 1000004, 2000003] },
    Canary { name: "writes nothing after an event", seeds: &[7, 1000006, 2000000] },
    Canary { name: "ignores urgent data", seeds: &[30, 1000005, 2000003] },
    Canary { name: "counts no bytes that it writes", seeds: &[1, 1000001, 2000000] },
    Canary { name: "takes every read for the last", seeds: &[2561, 2011515] },
    Canary { name: "waits after an interrupt", seeds: &[30, 1000046, 2000033] },
    Canary { name: "pauses beyond a deadline", seeds: &[67, 1000684, 2001719] },
    Canary { name: "closes without lingering", seeds: &[19, 1000013, 2000019] },
    Canary { name: "loses a push beside another mark", seeds: &[19, 1000152, 2000367] },
    Canary { name: "ignores the cut", seeds: &[147, 1000352, 2001455] },
    Canary { name: "disarms a deadline that was early", seeds: &[130, 1000046, 2000000] },
    Canary { name: "keeps the deadline of another timer", seeds: &[2, 1000021, 2000000] },
    Canary { name: "frees no place", seeds: &[1, 1000004, 2000001] },
    Canary { name: "counts no end", seeds: &[1, 1000001, 2000000] },
    Canary { name: "lingers for ever", seeds: &[2, 1000003, 2000001] },
    Canary { name: "closes before the output is acknowledged", seeds: &[466, 1000065, 2005885] },
    Canary { name: "sweeps too late", seeds: &[1, 1000001, 2000000] },
    Canary { name: "forgets the drain deadline", seeds: &[27, 1000004, 2000010] },
    Canary { name: "stops without telling the acceptor", seeds: &[1, 1000001, 2000000] },
    Canary { name: "forgets the end of a pause", seeds: &[1, 1000037, 2000027] },
    Canary { name: "counts a client twice", seeds: &[1, 1000001, 2000000] },
    Canary { name: "frees a place without a wake-up", seeds: &[1, 1000004, 2000001] },
    Canary { name: "counts the time in which nothing is read", seeds: &[3288, 1004025, 2004730] },
    Canary { name: "keeps a message begun that has ended", seeds: &[1015, 1000051, 2000020] },
    Canary { name: "counts idle time from the read", seeds: &[804, 1001072, 2000757] },
    Canary { name: "counts no end of a dropped conversation", seeds: &[460, 1000185, 2000355] },
    Canary { name: "tells no session of the stop", seeds: &[] },
    Canary { name: "tells a session of the stop twice", seeds: &[] },
    Canary { name: "judges no rate", seeds: &[] },
    Canary { name: "judges a rate before its window is over", seeds: &[] },
    Canary { name: "forgets a window that ends at a write", seeds: &[] },
    Canary { name: "times out what was not written yet", seeds: &[] },
    Canary { name: "ignores a failure during an answer", seeds: &[] },
    Canary { name: "pushes to another member of the group", seeds: &[] },
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
