//! Runs of fixed seeds.

use anyloop_simulation::{Driving, Marks, Tape, Trace, run};
use common::CloseReason;

/// So many seeds are run. The command runs more of them, and also checks all marks.
const SEEDS: u64 = 2000;

#[test]
fn a_fixed_range_of_seeds_violates_nothing_and_reaches_every_end() {
    let mut marks = Marks::default();
    for seed in 0..SEEDS {
        let ran = run(Tape::from_seed(seed), Trace::default());
        match ran.result {
            Ok(summary) => marks.add(&ran.options, &summary),
            Err(violation) => panic!("seed {seed}: {violation}"),
        }
    }
    for &reason in CloseReason::ALL {
        let count: u64 = Driving::ALL.iter().map(|&driving| marks.count(reason, driving)).sum();
        assert!(count > 0, "no conversation ended for {reason}");
    }
    assert!(marks.unexpected().is_empty(), "{:?}", marks.unexpected());
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in (0..40).chain([737]) {
        let traced = || {
            let trace = Trace::kept();
            run(Tape::from_seed(seed), trace.clone());
            trace.lines()
        };
        let (one, other) = (traced(), traced());
        let differs = one.iter().zip(&other).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(one.len(), other.len(), "seed {seed}");
    }
}
