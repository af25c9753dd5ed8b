//! A made-up comparison: seven backends, two other servers and a control, thirteen rounds, all curves. The numbers are
//! realistic but don't describe the real backends.

use anyloop_compare::{
    Comparison, Conditions, ConnectionPoint, Kind, MemorySample, Probe, RatePoint, Sample, Shape, Subject,
};
use load::measurement::Tick;

mod variants;

pub(crate) use variants::{quick, two, with_another_build, with_hand_written, with_subscribers};

/// The parameters of a made-up server.
#[derive(Clone, Copy)]
struct Character {
    name: &'static str,
    model: &'static str,
    /// CPU in microseconds for each message at a low rate: user mode, kernel.
    cpu: (f64, f64),
    /// Replies per second at saturation.
    capacity: f64,
    /// Median latency in microseconds at a low rate.
    p50: f64,
    /// Context switches for each message.
    switches: f64,
    /// Bytes for each idle connection.
    memory: f64,
    /// The factor by which hostile clients increase tail latency.
    suffers: f64,
}

const fn character(
    name: &'static str,
    model: &'static str,
    cpu: (f64, f64),
    capacity: f64,
    p50: f64,
    memory: f64,
    suffers: f64,
) -> Character {
    Character { name, model, cpu, capacity, p50, switches: 0.1 + cpu.1 / 12.0, memory, suffers }
}

const CHARACTERS: [Character; 9] = [
    character("threads", "a thread for each connection", (1.9, 11.8), 61_000.0, 92.0, 14_200.0, 1.2),
    character("pool", "a rayon pool, fed by one poller", (3.4, 12.6), 72_000.0, 118.0, 336.0, 9.0),
    character("async-std", "a task for each connection", (2.9, 9.4), 84_000.0, 101.0, 849.0, 1.5),
    character("smol", "a task for each connection", (2.6, 9.3), 86_000.0, 96.0, 801.0, 1.3),
    character("tokio", "a task for each connection", (2.2, 8.2), 95_000.0, 90.0, 1_161.0, 1.3),
    character("epoll", "a bare poller for each worker", (1.2, 7.4), 112_000.0, 84.0, 304.0, 1.1),
    character("uring", "an io_uring for each worker", (1.4, 7.1), 114_000.0, 83.0, 365.0, 1.1),
    character("ntex", "", (3.0, 9.0), 83_000.0, 99.0, 2_300.0, 1.6),
    character("go-net", "", (4.1, 11.3), 64_000.0, 108.0, 9_400.0, 1.4),
];

const ROUNDS: usize = 13;
const RATE: f64 = 15_000.0;

/// A made-up comparison of nine servers.
pub(crate) fn specimen() -> Comparison {
    of(&CHARACTERS)
}

fn of(characters: &[Character]) -> Comparison {
    let mut random = fastrand::Rng::with_seed(8);
    let mut comparison = Comparison {
        version: anyloop_compare::data::VERSION,
        conditions: conditions(),
        subjects: characters.iter().map(subject).collect(),
        shapes: vec![
            Shape { rate: Some(RATE), ..shape("64 at 15k/s", 1) },
            shape("64 × 16", 16),
            Shape { rate: Some(RATE), hostile: 32, ..shape("64 at 15k/s, 32 hostile", 1) },
        ],
        ..Comparison::default()
    };
    let name = comparison.subjects[0].name.clone();
    let control = Subject { name: format!("{name} again"), control_of: Some(name), ..Subject::default() };
    comparison.subjects.push(control);
    for round in 0..ROUNDS {
        for subject in 0..comparison.subjects.len() {
            let like = characters.get(subject).unwrap_or(&characters[0]);
            samples(&mut comparison, &mut random, like, (round, subject));
        }
        for (subject, of) in characters.iter().enumerate() {
            let rate = of.capacity * 0.8 * about(&mut random, 0.02);
            comparison.probes.push(Probe { round, subject, rate, pass: random.bool(), ..Probe::default() });
        }
    }
    for (index, character) in characters.iter().enumerate() {
        curves(&mut comparison, index, character, &mut random);
    }
    comparison
}

fn subject(of: &Character) -> Subject {
    let is_backend = !of.model.is_empty();
    let legacy = (of.name == "async-std").then(|| "discontinued in 2025, smol is the advice".to_owned());
    let own = if of.name == "threads" { "own thread" } else { "worker" };
    Subject {
        name: of.name.to_owned(),
        model: of.model.to_owned(),
        kind: if is_backend { Kind::Backend } else { Kind::Server },
        handler_runs: is_backend.then(|| own.to_owned()),
        legacy,
        ..Subject::default()
    }
}

fn shape(name: &str, depth: usize) -> Shape {
    Shape { name: name.to_owned(), connections: 64, depth, ..Shape::default() }
}

/// A factor around 1, with about this deviation.
fn about(random: &mut fastrand::Rng, deviation: f64) -> f64 {
    let sum: f64 = (0..12).map(|_| random.f64()).sum();
    ((sum - 6.0) * deviation).exp()
}

/// The samples of a server under every load of a round.
fn samples(
    comparison: &mut Comparison,
    random: &mut fastrand::Rng,
    like: &Character,
    (round, subject): (usize, usize),
) {
    for (shape, load) in comparison.shapes.iter().enumerate() {
        comparison.samples.push(sample(random, like, load, (round, subject, shape)));
    }
}

fn sample(
    random: &mut fastrand::Rng,
    like: &Character,
    load: &Shape,
    (round, subject, shape): (usize, usize, usize),
) -> Sample {
    let closed = load.rate.is_none();
    let busy = if closed { 0.04 } else { 1.0 };
    let noise = about(random, 0.045);
    let rate = if closed { like.capacity * 9.0 * about(random, 0.06) } else { RATE };
    let hostile = if load.hostile > 0 { like.suffers } else { 1.0 };
    let p50 = if closed { 64.0 * 16.0 / rate * 1e6 } else { like.p50 * about(random, 0.06) };
    let tail = about(random, 0.2) * hostile;
    let percentiles = |stretch: f64| -> Vec<(f64, f64)> {
        [
            (50.0, 1.0),
            (75.0, 1.4),
            (90.0, 2.4),
            (95.0, 4.0),
            (99.0, 9.0),
            (99.9, 24.0),
            (99.99, 48.0),
            (100.0, 80.0),
        ]
        .map(|(percentile, factor)| (percentile, p50 * (1.0 + (factor - 1.0) * stretch * tail)))
        .to_vec()
    };
    let flagged = round == 4 && subject < 2;
    let stalls = subject == 1 && round == 7;
    let tick = |nth: usize| {
        let stall = if stalls && (6..9).contains(&nth) { 40.0 } else { 1.0 };
        let max = p50 * 20.0 * stall * (1.0 + ((nth * 7 + round * 3 + subject) % 11) as f64 / 9.0);
        Tick { at: nth as f64 / 10.0, replies: (rate / 10.0) as u64, max }
    };
    Sample {
        round,
        slot: subject,
        subject,
        shape,
        rate,
        cpu_user: like.cpu.0 * busy * noise,
        cpu_system: like.cpu.1 * busy * noise,
        switches: like.switches * busy * about(random, 0.02),
        latency: percentiles(1.0),
        service: percentiles(0.45),
        replies: rate as u64,
        timeline: if closed { Vec::new() } else { (0..12).map(tick).collect() },
        generator_busy: if closed { 0.71 } else { 0.38 } * about(random, 0.05),
        send_lag: 31.0 * about(random, 0.2),
        littles_error: closed.then(|| (0.012 * about(random, 0.4)).min(0.049)),
        steal: if flagged { 0.034 } else { 0.004 * about(random, 0.5) },
        flags: if flagged { vec!["steal 3.4 %".to_owned()] } else { Vec::new() },
        ..Sample::default()
    }
}

fn curves(comparison: &mut Comparison, subject: usize, character: &Character, random: &mut fastrand::Rng) {
    for step in 1..=13 {
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
                character.cpu.0 * (1.0 - 0.3 * load.min(1.0)) * about(random, 0.02),
                character.cpu.1 * (1.0 - 0.3 * load.min(1.0)),
            ),
            overloaded,
        });
        if overloaded && step > 2 && load > 1.15 {
            break;
        }
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
        comparison.memory.push(MemorySample {
            subject,
            connections,
            bytes: bytes as u64,
            ..MemorySample::default()
        });
    }
}

fn conditions() -> Conditions {
    let machine = [
        ("CPU", "Example 3000, 2 cores shared with others"),
        ("cores", "2"),
        ("memory", "3.8 GiB"),
        ("system", "Linux 6.18, x86_64"),
        ("load average at the start", "0.41"),
        ("compiler", "rustc 1.95.0"),
        ("anyloop", "0.1.0"),
    ];
    Conditions {
        command: "anyloop compare --handler echo --slo p99=5ms --full --seed 8".to_owned(),
        started: 1_795_339_200,
        seconds: 187.0,
        seed: 8,
        rounds: ROUNDS,
        tier: "full".to_owned(),
        handler: "echo".to_owned(),
        message_size: "32 B".to_owned(),
        message: "lines of 32 B".to_owned(),
        slos: vec!["p99=5ms".to_owned()],
        machine: machine.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        ..Conditions::default()
    }
}
