//! Which part of a load this process makes, and when it begins.

use std::env;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use load::plan::{MOST_CONNECTIONS, Shard};
use load::quantity::Decimal;

use crate::failure::Failure;
use crate::quantity::number;

/// Which part of the load this process makes, and when it begins.
#[derive(Args, Debug)]
#[group(skip)]
pub(crate) struct Part {
    /// Shard of the load to make: I from 1 to N. N processes, usually on as many machines, make the connections and the
    /// messages of one together, if all have the same flags. With N alone, the variable JOB_COMPLETION_INDEX is I - 1,
    /// as in an Indexed Job of Kubernetes. `merge` merges their measurements
    #[arg(long, env, value_name = "I/N|N", value_parser = Choice::from_str, conflicts_with = "find_max_rate")]
    shard: Option<Choice>,

    /// When to begin the load, warm-up included, in RFC 3339 or in seconds since 1970 (UTC). Connections are established
    /// before; if they are not by then, that is an error. For several shards, the clocks of all machines have to agree to
    /// much less than a tenth of --duration
    #[arg(long, env, value_name = "WHEN", value_parser = Moment::from_str, conflicts_with = "find_max_rate")]
    start_at: Option<Moment>,
}

impl Part {
    /// The shard.
    pub(super) fn shard(&self) -> Result<Shard, Failure> {
        let count = match self.shard {
            None => return Ok(Shard::WHOLE),
            Some(Choice::Shard(shard)) => return Ok(shard),
            Some(Choice::Of(count)) => count,
        };
        let wrong = |why: &str| {
            Failure::Usage(format!(
                "--shard {count} needs JOB_COMPLETION_INDEX, which {why}; set it from 0 to {}, or write --shard 1/{count} \
                 to --shard {count}/{count}",
                count - 1
            ))
        };
        let index = env::var_os(INDEX).ok_or_else(|| wrong("is not set"))?;
        let index = index.to_string_lossy();
        let shard = number(0, count - 1)(&index).and_then(|index| Shard::new(index + 1, count));
        shard.map_err(|_| wrong(&format!("is `{index}`")))
    }

    /// When the load begins.
    pub(super) fn start_at(&self) -> Result<Option<SystemTime>, Failure> {
        let Some(Moment(start)) = self.start_at else { return Ok(None) };
        let left = start.duration_since(Timestamp::now());
        let by = SignedDuration::from_millis(i64::try_from(left.abs().as_millis()).unwrap_or(i64::MAX));
        let wrong = if left.is_negative() {
            format!("was {by:#} ago; choose a time by which all processes have started and connected")
        } else if left > FURTHEST {
            format!("is {by:#} ahead; choose a time within a day")
        } else {
            return Ok(Some(start.into()));
        };
        Err(Failure::Usage(format!("--start-at {start} {wrong}")))
    }
}

/// The variable that Kubernetes sets to the number of a pod of an Indexed Job, from 0.
const INDEX: &str = "JOB_COMPLETION_INDEX";

/// A load that is to begin later is taken for a mistake, such as milliseconds in place of seconds.
const FURTHEST: SignedDuration = SignedDuration::from_hours(24);

/// The value of `--shard`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Choice {
    /// This one.
    Shard(Shard),
    /// One of so many, which a variable says.
    Of(usize),
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('/') {
            return text.parse().map(Self::Shard);
        }
        number(1, MOST_CONNECTIONS)(text).map(Self::Of).map_err(|_| {
            format!("`{text}` is no shard; write which of how many it is, such as 2/3, or only how many, such as 3")
        })
    }
}

/// The value of `--start-at`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Moment(Timestamp);

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let moment = match Decimal::begin(text) {
            Some((seconds, "")) => seconds.times(1_000_000_000).and_then(|since| {
                Timestamp::UNIX_EPOCH.checked_add(Duration::from_nanos(u64::try_from(since).ok()?)).ok()
            }),
            _ => text.parse().ok(),
        };
        moment.map(Self).ok_or_else(|| {
            format!("`{text}` is no time; write one such as 2026-12-01T12:00:00Z, or the seconds since 1970")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_named_or_counted() {
        for (text, expected) in [("2/3", Choice::Shard(Shard::new(2, 3).unwrap())), ("3", Choice::Of(3))] {
            assert_eq!(text.parse(), Ok(expected));
        }
        for (text, expected) in [
            ("0/3", "there is no shard 0 of 3"),
            ("4/3", "there is no shard 4 of 3"),
            ("x", "`x` is no shard; write which of how many it is, such as 2/3, or only how many"),
            ("0", "is no shard"),
            ("1000001", "is no shard"),
        ] {
            let error = text.parse::<Choice>().unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn moments_are_read_in_both_notations() {
        let noon: Timestamp = "2026-12-01T12:00:00Z".parse().unwrap();
        for text in ["2026-12-01T12:00:00Z", "2026-12-01T13:00:00+01:00", "1796126400", "1796126400.0"] {
            assert_eq!(text.parse(), Ok(Moment(noon)), "{text}");
        }
        let later = noon.checked_add(Duration::from_millis(250)).unwrap();
        assert_eq!("1796126400.25".parse(), Ok(Moment(later)));
        for text in [
            "yesterday",
            "",
            "12:00",
            "2026-12-01",
            "2026-12-01T12:00:00",
            "-5",
            "1e9",
            "99999999999999999999",
        ] {
            let error = text.parse::<Moment>().unwrap_err();
            assert!(
                error.starts_with(&format!("`{text}` is no time; write one such as 20")),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn a_start_is_neither_past_nor_far() {
        let start_at = |seconds: i64| {
            let moment = Timestamp::now().checked_add(SignedDuration::from_secs(seconds)).unwrap();
            let part = Part { shard: None, start_at: Some(Moment(moment)) };
            part.start_at().map(|start| assert!(start.is_some())).map_err(|error| error.to_string())
        };
        assert_eq!(start_at(3600), Ok(()));
        let past = start_at(-3600).unwrap_err();
        assert!(
            past.contains(" was 1h") && past.contains(" ago; ") && past.contains("; choose a time by which"),
            "{past}"
        );
        let far = start_at(25 * 3600 + 30).unwrap_err();
        assert!(far.contains(" is 25h") && far.contains("within a day"), "{far}");
    }
}
