//! Other comparisons that are derived from the specimen.

use anyloop_compare::{Care, Comparison, Kind, Subject};

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

/// Adds a server that was measured in every round under every load.
fn add(comparison: &mut Comparison, random: &mut fastrand::Rng, name: String, kind: Kind, like: &Character) {
    comparison.subjects.push(Subject { name, kind, ..Subject::default() });
    for round in 0..ROUNDS {
        samples(comparison, random, like, (round, comparison.subjects.len() - 1));
    }
}
