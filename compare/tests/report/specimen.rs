//! A made-up comparison: five backends and a control, seven rounds, all curves. The numbers have the size of
//! real ones, but say nothing about the backends.

use compare::{
    Comparison, Conditions, ConnectionPoint, IsolationPoint, MemorySample, RatePoint, Sample, Shape, Subject,
};

/// What a made-up backend is like.
struct Character {
    name: &'static str,
    model: &'static str,
    /// CPU in microseconds for each message at a low rate: own code, kernel.
    cpu: (f64, f64),
    /// Replies per second when kept busy.
    capacity: f64,
    /// Median latency in microseconds at a low rate.
    p50: f64,
    /// Context switches for each message.
    switches: f64,
    /// Bytes for each idle connection.
    memory: f64,
    /// By how much hostile clients multiply the tail.
    suffers: f64,
}

const CHARACTERS: [Character; 4] = [
    Character {
        name: "threads",
        model: "a thread for each connection",
        cpu: (1.9, 11.8),
        capacity: 61_000.0,
        p50: 92.0,
        switches: 1.02,
        memory: 14_200.0,
        suffers: 1.2,
    },
    Character {
        name: "pool",
        model: "a rayon pool, fed by one poller",
        cpu: (3.4, 12.6),
        capacity: 72_000.0,
        p50: 118.0,
        switches: 1.4,
        memory: 2_100.0,
        suffers: 9.0,
    },
    Character {
        name: "async-std",
        model: "a task for each connection",
        cpu: (2.9, 9.4),
        capacity: 84_000.0,
        p50: 101.0,
        switches: 0.44,
        memory: 2_500.0,
        suffers: 1.5,
    },
    Character {
        name: "smol",
        model: "a task for each connection",
        cpu: (2.2, 7.6),
        capacity: 98_000.0,
        p50: 84.0,
        switches: 0.31,
        memory: 1_900.0,
        suffers: 1.3,
    },
];

/// A made-up comparison.
pub(crate) fn specimen() -> Comparison {
    let mut random = fastrand::Rng::with_seed(8);
    let mut comparison = Comparison {
        conditions: conditions(),
        subjects: subjects(),
        shapes: vec![
            Shape {
                name: "64 at 15k/s".to_owned(),
                connections: 64,
                depth: 1,
                rate: Some(15_000.0),
                hostile: 0,
            },
            Shape { name: "64 × 16".to_owned(), connections: 64, depth: 16, rate: None, hostile: 0 },
            Shape { name: "1 × 1".to_owned(), connections: 1, depth: 1, rate: None, hostile: 0 },
        ],
        ..Comparison::default()
    };
    for round in 0..7 {
        for slot in 0..comparison.subjects.len() {
            let subject = (slot + round) % comparison.subjects.len();
            for shape in 0..3 {
                comparison.samples.extend(sample(
                    &mut random,
                    &comparison.subjects,
                    round,
                    slot,
                    subject,
                    shape,
                ));
            }
        }
    }
    for (index, character) in CHARACTERS.iter().enumerate() {
        curves(&mut comparison, index + 1, character, &mut random);
    }
    comparison
}

fn subjects() -> Vec<Subject> {
    let subject = |name: &str, model: &str| Subject {
        name: name.to_owned(),
        model: model.to_owned(),
        ..Subject::default()
    };
    let mut subjects = vec![subject("sequential", "one client at a time")];
    subjects.extend(CHARACTERS.iter().map(|character| subject(character.name, character.model)));
    subjects[3].legacy = Some("discontinued in 2025, smol is the advice".to_owned());
    subjects
        .push(Subject { control_of: Some("threads".to_owned()), ..subject("threads again", "the control") });
    subjects
}

/// A factor around 1, with about this deviation.
fn about(random: &mut fastrand::Rng, deviation: f64) -> f64 {
    let sum: f64 = (0..12).map(|_| random.f64()).sum();
    ((sum - 6.0) * deviation).exp()
}

fn sample(
    random: &mut fastrand::Rng,
    subjects: &[Subject],
    round: usize,
    slot: usize,
    subject: usize,
    shape: usize,
) -> Option<Sample> {
    let character = match subject {
        0 if shape == 2 => &Character { cpu: (1.4, 8.9), switches: 1.0, ..CHARACTERS[0] },
        0 => return None,
        _ if subjects[subject].control_of.is_some() => &CHARACTERS[0],
        _ => &CHARACTERS[subject - 1],
    };
    let busy = if shape == 1 { 0.55 } else { 1.0 };
    let (closed, noise) = (shape != 0, about(random, 0.045));
    let rate = match shape {
        0 => 14_998.0,
        1 => character.capacity * about(random, 0.09),
        _ => 11_000.0 * about(random, 0.05) * 84.0 / character.p50,
    };
    let p50 = if shape == 1 { 64.0 * 16.0 / rate * 1e6 } else { character.p50 * about(random, 0.06) };
    let tail = about(random, 0.2);
    let percentiles = |stretch: f64| -> Vec<(f64, f64)> {
        [(50.0, 1.0), (90.0, 2.4), (99.0, 9.0), (99.9, 24.0), (99.99, 48.0)]
            .map(|(percentile, factor)| (percentile, p50 * (1.0 + (factor - 1.0) * stretch * tail)))
            .to_vec()
    };
    let flagged = (round == 4 && slot < 2) || (round == 5 && subject == 2 && shape == 1);
    Some(Sample {
        round,
        slot,
        subject,
        shape,
        rate,
        cpu_user: character.cpu.0 * busy * noise,
        cpu_system: character.cpu.1 * busy * noise,
        switches: character.switches * busy * busy * about(random, 0.02),
        latency: percentiles(1.0),
        service: percentiles(0.45),
        overloaded: false,
        bad: 0,
        replies: 10_000,
        generator_busy: if shape == 1 { 0.71 } else { 0.38 } * about(random, 0.05),
        send_lag: 31.0 * about(random, 0.2),
        littles_error: closed.then(|| (0.012 * about(random, 0.4)).min(0.049)),
        steal: if flagged { 0.034 } else { 0.004 * about(random, 0.5) },
        flags: if flagged { vec!["steal 3.4 %".to_owned()] } else { Vec::new() },
        ..Sample::default()
    })
}

fn curves(comparison: &mut Comparison, subject: usize, character: &Character, random: &mut fastrand::Rng) {
    for step in 1..=9 {
        let offered = f64::from(step) * 10_000.0;
        let load = offered / character.capacity;
        let overloaded = load > 0.97;
        let queue = 1.0 / (1.0 - load).max(0.03);
        let p50 = character.p50 * (0.8 + 0.2 * queue) * about(random, 0.04);
        comparison.rate_sweep.push(RatePoint {
            subject,
            offered,
            achieved: offered.min(character.capacity * 0.97),
            p50,
            p99: p50 * (3.0 + queue * 1.3) * about(random, 0.08),
            cpu: (
                character.cpu.0 * (1.0 - 0.4 * load.min(1.0)),
                character.cpu.1 * (1.0 - 0.4 * load.min(1.0)),
            ),
            overloaded,
        });
    }
    for connections in [1_usize, 4, 16, 64, 256, 1000] {
        let share = (connections as f64 / (connections as f64 + 6.0)) * (1.0 - connections as f64 / 9000.0);
        comparison.connection_sweep.push(ConnectionPoint {
            subject,
            connections,
            failed: if subject == 1 && connections == 1000 { 37 } else { 0 },
            rate: character.capacity * share * about(random, 0.04),
        });
    }
    for connections in [0, 500, 1000, 2000] {
        let bytes = 2.2e6 + character.memory * connections as f64 * about(random, 0.02);
        comparison.memory.push(MemorySample { subject, pass: 0, connections, bytes: bytes as u64 });
    }
    for (hostile_percent, share) in [(0, 0.0), (10, 0.4), (50, 1.0)] {
        comparison.isolation.push(IsolationPoint {
            subject,
            hostile_percent,
            p99: character.p50 * 9.0 * character.suffers.powf(share) * about(random, 0.05),
            overloaded: subject == 2 && hostile_percent == 50,
        });
    }
}

fn conditions() -> Conditions {
    let machine = [
        ("processor", "Example 3000, 2 cores shared with others"),
        ("memory", "3.8 GiB"),
        ("kernel", "Linux 6.18"),
        ("placement", "shared: nothing is pinned"),
        ("load average", "0.41"),
        ("compiler", "rustc 1.95.0, release"),
        ("version", "anyloop 0.1.0"),
    ];
    Conditions {
        command: "anyloop compare --handler echo --rounds 7 --seed 8".to_owned(),
        started: 1_795_339_200,
        seconds: 187.0,
        seed: 8,
        rounds: 7,
        tier: "default".to_owned(),
        handler: "echo".to_owned(),
        message_size: "32 B".to_owned(),
        slo: Some(5_000.0),
        slos: vec!["p99=5ms".to_owned()],
        machine: machine.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        ..Conditions::default()
    }
}
