//! Other comparisons that are derived from the specimen.

use anyloop_compare::{Care, Comparison, Deliveries, Kind, NotHeld, Shape, Subject};

use super::{CHARACTERS, Character, ROUNDS, of, samples, specimen};

/// A made-up comparison of the first two servers.
pub(crate) fn two() -> Comparison {
    let mut comparison = of(&CHARACTERS[..2]);
    comparison.shapes.truncate(2);
    comparison.samples.retain(|sample| sample.shape < 2);
    comparison.probes.clear();
    comparison.conditions.tier = "default".to_owned();
    comparison.conditions.slos.clear();
    comparison
}

/// The specimen with handwritten servers.
pub(crate) fn with_hand_written() -> Comparison {
    let mut comparison = specimen();
    let mut random = fastrand::Rng::with_seed(9);
    let raw = Character { cpu: (0.7, 7.2), ..CHARACTERS[5] };
    let written = [
        ("threads-careful", Some("threads"), Care::Careful, CHARACTERS[0]),
        ("tokio-plain", Some("tokio"), Care::Plain, Character { cpu: (3.2, 14.0), ..CHARACTERS[4] }),
        ("tokio-careful", Some("tokio"), Care::Careful, CHARACTERS[4]),
        ("epoll-careful", Some("epoll"), Care::Careful, CHARACTERS[5]),
        ("raw-echo", None, Care::Raw, raw),
    ];
    for (name, of, care, like) in written {
        let kind = Kind::Handwritten { of: of.map(str::to_owned), care };
        add(&mut comparison, &mut random, name.to_owned(), kind, &like);
    }
    comparison
}

/// The specimen with another build of two of its backends, which costs a quarter more on `epoll`.
pub(crate) fn with_another_build() -> Comparison {
    let mut comparison = specimen();
    let mut random = fastrand::Rng::with_seed(10);
    let slower = Character { cpu: (1.5, 9.3), ..CHARACTERS[5] };
    for (name, like) in [("tokio", CHARACTERS[4]), ("epoll", slower)] {
        let kind = Kind::Build { of: name.to_owned() };
        add(&mut comparison, &mut random, format!("{name} (other)"), kind, &like);
    }
    comparison
}

/// A quick run, without curves and with fewer rounds.
pub(crate) fn quick() -> Comparison {
    let mut comparison = specimen();
    comparison.conditions.tier = "quick".to_owned();
    comparison.conditions.rounds = 5;
    comparison.conditions.slos.clear();
    comparison.shapes.truncate(2);
    comparison.samples.retain(|sample| sample.round < 5 && sample.shape < 2);
    comparison.rate_sweep.clear();
    comparison.connection_sweep.clear();
    comparison.probes.clear();
    comparison.memory.clear();
    comparison
}

/// A comparison of pushes to 1, 100 and 10,000 subscribers, of which `threads` does not hold the last, and `pool` misses
/// some messages to a hundred.
pub(crate) fn with_subscribers() -> Comparison {
    let mut comparison = of(&CHARACTERS[..6]);
    let shape = |rate, subscribers| Shape {
        name: format!("64 at {rate}/s to {subscribers}"),
        connections: 64,
        depth: 16,
        rate: Some(rate),
        subscribers,
        ..Shape::default()
    };
    comparison.shapes = vec![shape(6000.0, 1), shape(60.0, 100), shape(2.0, 10_000)];
    for sample in &mut comparison.samples {
        let subscribers = comparison.shapes[sample.shape].subscribers as f64;
        let (user, system, delay) =
            (sample.cpu_user * 0.9, sample.cpu_system * 0.5, 90.0 + 6.0 * subscribers);
        (sample.cpu_user, sample.cpu_system) = (user * subscribers, system * subscribers);
        sample.latency.retain(|(rank, _)| *rank < 99.0);
        sample.timeline.clear();
        sample.deliveries = Some(Deliveries {
            count: 20_000,
            missed: u64::from(sample.subject == 1 && sample.shape == 1) * 3,
            rate: 20_000.0,
            cpu_user: user,
            cpu_system: system,
            delay: vec![(50.0, delay * 0.5 * system), (99.0, delay * system)],
        });
    }
    let control = comparison.subjects.len() - 1;
    comparison.samples.retain(|sample| sample.shape != 2 || ![0, control].contains(&sample.subject));
    let not_held = |shape, why: &str| NotHeld { shape, why: why.to_owned() };
    comparison.subjects[0].not_held = vec![not_held(2, "3 connections could not be made")];
    let alone = (0..3).map(|shape| not_held(shape, "it serves one client at a time")).collect();
    comparison.subjects.push(Subject {
        name: "sequential".to_owned(),
        not_held: alone,
        ..Subject::default()
    });
    comparison.conditions.handler = "fanout".to_owned();
    comparison.conditions.tier = "default".to_owned();
    comparison.conditions.slos.clear();
    (comparison.memory, comparison.probes) = (Vec::new(), Vec::new());
    (comparison.rate_sweep, comparison.connection_sweep) = (Vec::new(), Vec::new());
    comparison
}

/// Adds a server that was measured in every round under every load.
fn add(comparison: &mut Comparison, random: &mut fastrand::Rng, name: String, kind: Kind, like: &Character) {
    comparison.subjects.push(Subject { name, kind, ..Subject::default() });
    for round in 0..ROUNDS {
        samples(comparison, random, like, (round, comparison.subjects.len() - 1));
    }
}
