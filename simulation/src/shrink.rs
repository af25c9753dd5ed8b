//! Shrinks a tape that shows a violation.

use std::time::{Duration, Instant};

/// Returns the shortest and lowest tape found for which `fails` still holds: blocks of bytes are deleted, then set to zero,
/// then single bytes are lowered, until nothing helps or the time is up.
pub fn shrink(tape: &[u8], time: Duration, fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let end = Instant::now() + time;
    let mut best = tape.to_vec();
    let attempt = |best: &mut Vec<u8>, candidate: Vec<u8>| {
        let is_better = candidate != *best && Instant::now() < end && fails(&candidate);
        if is_better {
            *best = candidate;
        }
        is_better
    };
    loop {
        let before = best.clone();
        let mut size = best.len().div_ceil(2);
        while size > 0 {
            // From the end, since later choices depend on earlier ones.
            let mut start = best.len().saturating_sub(size);
            loop {
                let stop = (start + size).min(best.len());
                let deleted = [&best[..start], &best[stop..]].concat();
                if !attempt(&mut best, deleted) {
                    let mut zeroed = best.clone();
                    zeroed[start..stop].fill(0);
                    attempt(&mut best, zeroed);
                }
                if start == 0 {
                    break;
                }
                start = start.min(best.len()).saturating_sub(size);
            }
            size /= 2;
        }
        for index in 0..best.len() {
            for lower in [best[index] / 2, best[index].saturating_sub(1)] {
                let mut lowered = best.clone();
                lowered[index] = lower;
                attempt(&mut best, lowered);
            }
        }
        if best == before || Instant::now() >= end {
            return best;
        }
    }
}

/// The kind of a violation: its text without numbers, contents and times.
pub fn kind(violation: &str) -> String {
    let without_contents = violation.split('`').step_by(2).collect::<String>();
    let words =
        without_contents.split_whitespace().filter(|word| !word.contains(|c: char| c.is_ascii_digit()));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tape_shrinks_to_what_matters() {
        let tape: Vec<u8> = (0..200).map(|number| number as u8 | 1).collect();
        let fails = |tape: &[u8]| tape.iter().any(|&byte| byte > 100) && tape.len() > 3;
        let mut shrunk = shrink(&tape, Duration::from_secs(60), fails);
        shrunk.sort_unstable();
        assert_eq!(shrunk, [0, 0, 0, 101]);
    }

    #[test]
    fn violations_of_a_kind_differ_in_numbers_and_contents() {
        let one = "client 1: it received `abc`, and expected `R1`";
        let other = "client 22: it received `x y z`, and expected `hello`";
        assert_eq!(kind(one), kind(other));
        assert_ne!(kind(one), kind("client 1: `closed` was called twice"));
    }
}
