//! Shards: the parts of one plan that several generators carry out at the same time.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::plan::MOST_CONNECTIONS;

/// Which part of a plan a generator carries out: `2/3` is the second of three. All shards of a plan together make the
/// connections and the messages that one generator would make of it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, PartialOrd, Ord, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    /// How many there are.
    count: usize,
    /// Which of them it is, from 0.
    index: usize,
}

impl Shard {
    /// The only shard of a plan: all of it.
    pub const WHOLE: Self = Self { count: 1, index: 0 };

    /// The shard of this number, from 1, of so many.
    ///
    /// # Errors
    /// If there is no such shard: which there are.
    pub fn new(number: usize, count: usize) -> Result<Self, String> {
        if count == 0 || count > MOST_CONNECTIONS {
            return Err(format!("{count} is no number of shards; choose one from 1 to {MOST_CONNECTIONS}"));
        }
        if number == 0 || number > count {
            return Err(format!("there is no shard {number} of {count}; write 1/{count} to {count}/{count}"));
        }
        Ok(Self { count, index: number - 1 })
    }

    /// Which of the shards it is, from 1.
    pub fn number(self) -> usize {
        self.index + 1
    }

    /// How many shards there are.
    pub fn count(self) -> usize {
        self.count
    }

    /// Whether it is the only one.
    pub fn is_whole(&self) -> bool {
        self.count == 1
    }

    /// How many of so many things are its own. The shares of all shards add up to the total, and differ by at most one.
    pub fn share(self, total: usize) -> usize {
        total / self.count + usize::from(self.index < total % self.count)
    }

    /// The number among all shards' things of its own thing of this number, both from 0: the shards take turns.
    pub(crate) fn number_of(self, own: usize) -> usize {
        own.wrapping_mul(self.count).wrapping_add(self.index)
    }

    /// Whether the thing of this number among all shards' things is its own.
    pub(crate) fn has(self, number: usize) -> bool {
        number % self.count == self.index
    }

    /// Divides its share further, into the shares of so many threads.
    pub(crate) fn of_thread(self, thread: usize, threads: usize) -> Self {
        Self { count: self.count * threads, index: self.number_of(thread) }
    }
}

impl Default for Shard {
    fn default() -> Self {
        Self::WHOLE
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number(), self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
        let parts = text.split_once('/').and_then(|(one, of)| number(one).zip(number(of)));
        let (number, count) = parts
            .ok_or_else(|| format!("`{text}` is no shard; write which of how many it is, such as 2/3"))?;
        Self::new(number, count)
    }
}

impl TryFrom<String> for Shard {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(count: usize) -> impl Iterator<Item = Shard> {
        (1..=count).map(move |number| Shard::new(number, count).unwrap())
    }

    #[test]
    fn shares_add_up_and_are_even() {
        for (total, count) in [(0, 3), (1, 3), (2, 3), (3, 3), (64, 3), (65, 3), (7, 7), (1_000_000, 999)] {
            let shares: Vec<_> = all(count).map(|shard| shard.share(total)).collect();
            assert_eq!(shares.iter().sum::<usize>(), total);
            assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1, "{shares:?}");
        }
        assert_eq!(Shard::WHOLE.share(17), 17);
    }

    #[test]
    fn each_thing_is_of_one_thread_of_one_shard() {
        for (total, count, threads) in [(64, 3, 1), (65, 3, 2), (7, 1, 3), (5, 5, 4), (2, 3, 2)] {
            let of_thread = |shard: Shard, thread| {
                let part = shard.of_thread(thread, threads);
                (0..part.share(total)).map(move |number| part.number_of(number))
            };
            let of_shard = |shard| (0..threads).flat_map(move |thread| of_thread(shard, thread));
            let mut numbers: Vec<_> = all(count).flat_map(of_shard).collect();
            numbers.sort_unstable();
            assert_eq!(numbers, (0..total).collect::<Vec<_>>(), "{total} in {count} shards of {threads}");
        }
    }

    #[test]
    fn shards_are_read_and_written() {
        for text in ["1/1", "1/3", "3/3", "1000000/1000000"] {
            let shard: Shard = text.parse().unwrap();
            assert_eq!(shard.to_string(), text);
            let json = serde_json::to_string(&shard).unwrap();
            assert_eq!(
                (json.as_str(), serde_json::from_str(&json).ok()),
                (&*format!("\"{text}\""), Some(shard))
            );
        }
    }

    #[test]
    fn errors_say_which_shards_there_are() {
        for (text, expected) in [
            ("0/3", "there is no shard 0 of 3; write 1/3 to 3/3"),
            ("4/3", "there is no shard 4 of 3; write 1/3 to 3/3"),
            ("1/0", "0 is no number of shards; choose one from 1 to 1000000"),
            ("1/1000001", "1000001 is no number of shards"),
            ("x", "`x` is no shard; write which of how many it is, such as 2/3"),
            ("", "is no shard"),
            ("1", "is no shard"),
            ("/3", "is no shard"),
            ("1/", "is no shard"),
            ("+1/3", "is no shard"),
            ("1/3/3", "is no shard"),
            ("1/99999999999999999999999", "is no shard"),
        ] {
            let error = text.parse::<Shard>().unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
