use std::time::Duration;

use super::*;
use crate::slo::Rank;
use crate::testing::times;

const RANGE: Range = Range { first: 1000.0, least: 1.0, most: 1e7 };

fn slo() -> Slo {
    Slo { rank: Rank::Percentile(99.0), limit: Duration::from_millis(5) }
}

/// A server with one queue: latency grows without bound towards its capacity, and beyond it the rate does
/// not follow. `noise` multiplies its capacity. Its limit for 5 ms is capacity − 200.
fn server(capacity: f64, rate: f64, noise: f64) -> Measurement {
    let capacity = capacity * noise;
    let seconds = if rate < capacity { 1.0 / (capacity - rate) } else { 1.0 };
    Measurement {
        latency: times(&[(seconds * 1e6, 1000)]),
        offered_rate: Some(rate),
        achieved_rate: rate.min(capacity),
        ..crate::testing::measurement()
    }
}

fn search(capacity: f64, noise: &mut dyn FnMut() -> f64) -> Found {
    let mut measure = |rate: f64, _| Ok(server(capacity, rate, noise()));
    find_max_rate(&mut measure, &[slo()], false, RANGE).unwrap()
}

#[test]
fn the_bracket_holds_the_limit_and_is_narrow() {
    for capacity in [210.0, 700.0, 1200.0, 4_321.0, 38_400.0, 1e6] {
        let found = search(capacity, &mut || 1.0);
        let (pass, fail) = (found.highest_pass.unwrap(), found.lowest_fail.unwrap());
        let limit = capacity - 200.0;
        assert!(pass <= limit + 1.0 && limit - 1.0 <= fail, "{capacity}: {pass} to {fail}");
        assert!(fail / pass < NARROW, "{capacity}: {pass} to {fail}");
        assert_eq!(found.confirmation, Some((pass * 0.95, true)));
        assert!(!found.interrupted && !found.generator_limited);
        assert!(found.votes.len() < 40, "{} votes for {capacity}", found.votes.len());
    }
}

#[test]
fn noise_moves_the_result_only_as_far_as_it_goes() {
    for seed in 0..50 {
        let mut random = fastrand::Rng::with_seed(seed);
        // Mostly 2 % more or less; one measurement in ten has half the capacity.
        let mut noise = || if random.u8(0..10) == 0 { 0.5 } else { 0.98 + 0.04 * random.f64() };
        let found = search(40_000.0, &mut noise);
        let pass = found.highest_pass.unwrap();
        assert!((25_000.0..41_000.0).contains(&pass), "seed {seed}: {pass}");
    }
}

#[test]
fn one_bad_moment_does_not_end_the_ramp() {
    let mut count = 0;
    let found = search(40_000.0, &mut || {
        count += 1;
        if count == 3 { 0.01 } else { 1.0 }
    });
    assert!(found.highest_pass.unwrap() > 38_000.0, "{found:?}");
}

#[test]
fn a_rate_that_passed_by_chance_is_not_confirmed() {
    // Fast during the ramp, slow afterwards.
    let mut measure = |rate: f64, purpose| {
        Ok(server(if purpose == Purpose::Ramp { 40_000.0 } else { 10_000.0 }, rate, 1.0))
    };
    let found = find_max_rate(&mut measure, &[slo()], false, RANGE).unwrap();
    assert!(matches!(found.confirmation, Some((_, false))), "{found:?}");
}

#[test]
fn a_server_that_meets_the_objective_at_no_rate_has_no_result() {
    let found = search(100.0, &mut || 1.0);
    assert_eq!(found.highest_pass, None, "its latency is never under 5 ms");
    assert_eq!(found.confirmation, None);
    assert_eq!(found.lowest_fail, Some(RANGE.least));
}

#[test]
fn a_server_that_meets_it_at_every_rate_has_no_limit() {
    let found = search(1e9, &mut || 1.0);
    assert_eq!((found.highest_pass, found.lowest_fail), (Some(RANGE.most), None));
}

#[test]
fn rates_that_are_not_achieved_fail_though_they_are_fast() {
    let mut measure = |rate: f64, _| {
        let achieved = rate.min(20_000.0);
        Ok(Measurement { offered_rate: Some(rate), achieved_rate: achieved, ..crate::testing::measurement() })
    };
    let found = find_max_rate(&mut measure, &[slo()], false, RANGE).unwrap();
    let pass = found.highest_pass.unwrap();
    assert!(pass <= 20_000.0 / ACHIEVED && pass > 19_500.0, "{pass}");
}

#[test]
fn one_bad_reply_fails_and_so_does_a_connection_that_the_server_ends() {
    let break_it: [fn(&mut Measurement); 2] =
        [|measured| measured.verification.wrong = 1, |measured| measured.failures.ended = 1];
    for break_it in break_it {
        let mut measure = |rate: f64, _| {
            let mut measured = server(1e9, rate, 1.0);
            if rate > 5_000.0 {
                break_it(&mut measured);
            }
            Ok(measured)
        };
        let found = find_max_rate(&mut measure, &[slo()], false, RANGE).unwrap();
        assert!((4_900.0..=5_000.0).contains(&found.highest_pass.unwrap()), "{found:?}");
    }
}

#[test]
fn all_objectives_must_be_met() {
    let tight = Slo { limit: Duration::from_millis(1), ..slo() };
    let mut measure = |rate: f64, _| Ok(server(40_000.0, rate, 1.0));
    let found = find_max_rate(&mut measure, &[slo(), tight], false, RANGE).unwrap();
    // 1 ms is met up to 1000/s below the capacity.
    assert!((38_000.0..39_001.0).contains(&found.highest_pass.unwrap()), "{found:?}");
}

#[test]
fn a_bottleneck_in_the_generator_is_reported() {
    let mut measure =
        |rate: f64, _| Ok(Measurement { generator_limited: rate > 10_000.0, ..server(40_000.0, rate, 1.0) });
    let found = find_max_rate(&mut measure, &[slo()], false, RANGE).unwrap();
    assert!(found.generator_limited && found.highest_pass.unwrap() <= 10_000.0, "{found:?}");
}

#[test]
fn too_few_messages_are_no_failure() {
    let mut measure =
        |rate: f64, _| Ok(Measurement { latency: times(&[(100.0, 20)]), ..server(40_000.0, rate, 1.0) });
    let found = find_max_rate(&mut measure, &[slo()], false, RANGE).unwrap();
    assert!(found.undecided && found.highest_pass.is_none(), "{found:?}");
    assert!(!search(100.0, &mut || 1.0).undecided);
}

#[test]
fn an_interruption_keeps_the_results_so_far() {
    let mut count = 0;
    let mut measure = |rate: f64, _| {
        count += 1;
        Ok(Measurement { interrupted: count == 4, ..server(40_000.0, rate, 1.0) })
    };
    let found = find_max_rate(&mut measure, &[slo()], false, RANGE).unwrap();
    assert!(found.interrupted);
    assert_eq!((found.highest_pass, found.lowest_fail, found.confirmation), (Some(2250.0), None, None));
    assert_eq!(found.votes.len(), 3);
}

#[test]
fn an_error_of_the_measurement_is_the_search_s() {
    let mut measure = |_, _| Err(io::ErrorKind::ConnectionRefused.into());
    assert!(find_max_rate(&mut measure, &[slo()], false, RANGE).is_err());
}
