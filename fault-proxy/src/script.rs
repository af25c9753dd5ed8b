//! What each connection suffers, drawn from a seed.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use fastrand::Rng;

/// A way to disturb a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// All bytes arrive later, by the same time.
    Delay,
    /// Each piece arrives later by another time, in order.
    Jitter,
    /// Bytes are passed on in small pieces.
    Split,
    /// Bytes are collected, and passed on together.
    Coalesce,
    /// Nothing is passed on for a while, from some byte on.
    Stall,
    /// Bytes are passed on at a limited rate.
    Throttle,
    /// The end of the client's input reaches the server while replies are still passed on, after some byte.
    HalfClose,
    /// Both connections are reset after some byte.
    Reset,
    /// Both connections are closed after some byte, which may be within a message.
    Truncate,
}

impl Fault {
    /// All faults.
    pub const ALL: [Self; 9] = [
        Self::Delay,
        Self::Jitter,
        Self::Split,
        Self::Coalesce,
        Self::Stall,
        Self::Throttle,
        Self::HalfClose,
        Self::Reset,
        Self::Truncate,
    ];

    /// The name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delay => "delay",
            Self::Jitter => "jitter",
            Self::Split => "split",
            Self::Coalesce => "coalesce",
            Self::Stall => "stall",
            Self::Throttle => "throttle",
            Self::HalfClose => "half-close",
            Self::Reset => "reset",
            Self::Truncate => "truncate",
        }
    }

    /// Whether it ends the connection.
    pub fn ends(self) -> bool {
        matches!(self, Self::HalfClose | Self::Reset | Self::Truncate)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|fault| fault.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("`{name}` is no fault; write some of: {names}")
        })
    }
}

/// What a proxy draws from.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The seed of all choices.
    pub seed: u64,
    /// The faults that take part.
    pub faults: Vec<Fault>,
    /// The share of the connections to which each fault is applied, from 0 to 1. Of several faults that end a
    /// connection, one is applied.
    pub chance: f64,
}

impl Default for Settings {
    /// All faults, each for half of the connections.
    fn default() -> Self {
        Self { seed: 1, faults: Fault::ALL.into(), chance: 0.5 }
    }
}

/// What a connection suffers. It follows from the settings and the number of the connection alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// What happens to bytes from the client to the server.
    pub up: Shape,
    /// What happens to bytes from the server to the client.
    pub down: Shape,
    /// How the connection is ended, if it is.
    pub ending: Option<Ending>,
}

/// What happens to the bytes of one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// How much later all bytes arrive.
    pub delay: Duration,
    /// How much later a piece may arrive in addition.
    pub jitter: Duration,
    /// The longest piece in bytes, if bytes are split.
    pub split: Option<usize>,
    /// How many bytes are collected, and for how long at most.
    pub coalesce: Option<(usize, Duration)>,
    /// From which byte on nothing is passed on, and for how long.
    pub stall: Option<(u64, Duration)>,
    /// How many bytes are passed on per second.
    pub throttle: Option<u64>,
    /// The seed of what differs from piece to piece.
    pub seed: u64,
}

/// How a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The fault that ends it.
    pub fault: Fault,
    /// Whether bytes from the client to the server are counted, or those from the server to the client. A half-close
    /// counts those to the server.
    pub is_up: bool,
    /// After how many bytes it is ended.
    pub after: u64,
}

impl Script {
    /// Draws the script of a connection, which are numbered from 0.
    pub fn draw(settings: &Settings, connection: u64) -> Self {
        // The seeds of neighbours have nothing in common behind this.
        let mut random = Rng::with_seed(Rng::with_seed(settings.seed).u64(..) ^ connection);
        let drawn: Vec<Fault> = Fault::ALL
            .into_iter()
            .filter(|fault| random.f64() < settings.chance && settings.faults.contains(fault))
            .collect();
        let (up, down) = (Shape::draw(&drawn, &mut random), Shape::draw(&drawn, &mut random));
        let ends: Vec<Fault> = drawn.into_iter().filter(|fault| fault.ends()).collect();
        let ending = random.choice(ends).map(|fault| {
            let is_up = random.bool() || fault == Fault::HalfClose;
            Ending { fault, is_up, after: magnitude(&mut random, 0, 16) }
        });
        Self { up, down, ending }
    }

    /// The faults that it has.
    pub fn faults(&self) -> Vec<Fault> {
        let has = |fault: &Fault| {
            let of = |shape: &Shape| shape.has(*fault);
            of(&self.up) || of(&self.down) || self.ending.is_some_and(|ending| ending.fault == *fault)
        };
        Fault::ALL.into_iter().filter(has).collect()
    }
}

impl Shape {
    fn draw(faults: &[Fault], random: &mut Rng) -> Self {
        let mut time = |least: u64, most: u64| Duration::from_micros(random.u64(least..=most));
        let times = [time(500, 20_000), time(500, 20_000), time(1000, 20_000), time(50_000, 500_000)];
        let has = |fault| faults.contains(&fault).then_some(());
        let (delay, jitter) = (has(Fault::Delay), has(Fault::Jitter));
        Self {
            delay: delay.map_or(Duration::ZERO, |()| times[0]),
            jitter: jitter.map_or(Duration::ZERO, |()| times[1]),
            split: has(Fault::Split).map(|()| magnitude(random, 0, 6) as usize + 1),
            coalesce: has(Fault::Coalesce).map(|()| (magnitude(random, 8, 14) as usize, times[2])),
            stall: has(Fault::Stall).map(|()| (magnitude(random, 0, 16), times[3])),
            throttle: has(Fault::Throttle).map(|()| magnitude(random, 14, 20)),
            seed: random.u64(..),
        }
    }

    fn has(&self, fault: Fault) -> bool {
        match fault {
            Fault::Delay => !self.delay.is_zero(),
            Fault::Jitter => !self.jitter.is_zero(),
            Fault::Split => self.split.is_some(),
            Fault::Coalesce => self.coalesce.is_some(),
            Fault::Stall => self.stall.is_some(),
            Fault::Throttle => self.throttle.is_some(),
            Fault::HalfClose | Fault::Reset | Fault::Truncate => false,
        }
    }
}

/// A number from 2^least to 2^most - 1, of which each magnitude is equally likely.
fn magnitude(random: &mut Rng, least: u32, most: u32) -> u64 {
    let begin = 1 << random.u32(least..most);
    random.u64(begin..begin * 2)
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "up: {}; down: {}", self.up, self.down)?;
        match &self.ending {
            None => Ok(()),
            Some(Ending { fault, is_up, after }) => {
                write!(f, "; {fault} after {after} B {}", if *is_up { "up" } else { "down" })
            }
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { delay, jitter, split, coalesce, stall, throttle, .. } = self;
        let parts = [
            (!delay.is_zero()).then(|| format!("delay {delay:?}")),
            (!jitter.is_zero()).then(|| format!("jitter {jitter:?}")),
            split.map(|most| format!("split to {most} B")),
            coalesce.map(|(bytes, time)| format!("coalesce {bytes} B for {time:?}")),
            stall.map(|(at, time)| format!("stall at {at} B for {time:?}")),
            throttle.map(|rate| format!("throttle to {rate} B/s")),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        f.write_str(if parts.is_empty() { "as it is" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_script_follows_from_the_seed_and_the_connection() {
        let settings = Settings::default();
        let scripts: Vec<_> = (0..1000).map(|connection| Script::draw(&settings, connection)).collect();
        for (connection, script) in scripts.iter().enumerate() {
            assert_eq!(Script::draw(&settings, connection as u64), *script);
        }
        let texts: HashSet<_> = scripts.iter().map(|script| format!("{script:?}")).collect();
        assert!(texts.len() > 990, "connections differ: {}", texts.len());
        let other = Settings { seed: 2, ..settings };
        assert!((0..1000).any(|connection| Script::draw(&other, connection) != scripts[connection as usize]));
    }

    #[test]
    fn each_fault_is_applied_to_its_share_of_the_connections() {
        for chance in [0.0, 0.5, 1.0] {
            for fault in Fault::ALL {
                let settings = Settings { seed: 3, faults: vec![fault], chance };
                let scripts: Vec<_> =
                    (0..1000).map(|connection| Script::draw(&settings, connection)).collect();
                let faults = scripts.iter().flat_map(Script::faults);
                assert!(faults.clone().all(|other| other == fault));
                let share = faults.count() as f64 / 1000.0;
                assert!((share - chance).abs() < 0.1, "{fault}: {share} of {chance}");
            }
        }
    }

    /// The help of the program has these numbers.
    #[test]
    fn each_fault_is_as_strong_as_the_help_says() {
        let settings = Settings { chance: 1.0, ..Settings::default() };
        let scripts: Vec<_> = (0..20_000).map(|connection| Script::draw(&settings, connection)).collect();
        let bounds = |values: &mut dyn Iterator<Item = u64>| {
            values.fold((u64::MAX, 0), |(least, most), value| (least.min(value), most.max(value)))
        };
        let of = |value: fn(&Shape) -> u64| bounds(&mut scripts.iter().map(|script| value(&script.up)));
        fn micros(time: Duration) -> u64 {
            time.as_micros() as u64
        }
        for (drawn, least, most) in [
            (of(|shape| micros(shape.delay)), 500, 20_000),
            (of(|shape| micros(shape.jitter)), 500, 20_000),
            (of(|shape| shape.split.unwrap() as u64), 2, 64),
            (of(|shape| shape.coalesce.unwrap().0 as u64), 256, 16 * 1024),
            (of(|shape| micros(shape.coalesce.unwrap().1)), 1000, 20_000),
            (of(|shape| shape.stall.unwrap().0), 1, 64 * 1024),
            (of(|shape| micros(shape.stall.unwrap().1)), 50_000, 500_000),
            (of(|shape| shape.throttle.unwrap()), 16 * 1024, 1024 * 1024),
            (bounds(&mut scripts.iter().map(|script| script.ending.unwrap().after)), 1, 64 * 1024),
        ] {
            assert!(drawn.0 >= least && drawn.0 <= least + least / 50, "{drawn:?} from {least}");
            assert!(drawn.1 <= most && drawn.1 >= most - most / 50, "{drawn:?} to {most}");
        }
    }

    #[test]
    fn a_name_is_read_as_it_is_written() {
        for fault in Fault::ALL {
            assert_eq!(fault.to_string().parse(), Ok(fault));
        }
        let error = "loss".parse::<Fault>().unwrap_err();
        assert!(error.starts_with("`loss` is no fault; write some of: delay, jitter,"), "{error}");
    }

    #[test]
    fn a_script_is_shown_in_words() {
        let shape = |split| Shape { split, ..Shape::default() };
        let ending = Some(Ending { fault: Fault::Reset, is_up: false, after: 9 });
        let script = Script { up: shape(Some(7)), down: shape(None), ending };
        assert_eq!(script.to_string(), "up: split to 7 B; down: as it is; reset after 9 B down");
    }
}
