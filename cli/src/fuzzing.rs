//! Private functions that process text of other programs and of people, for the fuzz targets of the workspace.

use std::fmt::Debug;

use load::slo::Slo;

use crate::address::{self, Target};
use crate::catalogue::Framing;
use crate::client::wire::{Replies, Trouble};
use crate::quantity::{
    Size, Time, count, cpu, nonzero, number, rate, size_above_zero, sizes, threads, time_above_zero,
};

/// Shows bytes as the client and the logs do, with tabs unchanged if `tabs` is set.
pub fn escaped(bytes: &[u8], tabs: bool) -> String {
    let escaped = crate::escape::escaped(bytes);
    if tabs { escaped.with_tabs().to_string() } else { escaped.to_string() }
}

/// A reply, and the bytes of its end.
pub type Reply = [Vec<u8>; 2];

/// The replies of at most `max` bytes that the client finds in these reads. After them, the bytes of an incomplete reply, or why there are no more replies.
///
/// # Panics
/// If there is no such framing.
pub fn replies(framing: &str, max: usize, reads: &[&[u8]]) -> (Vec<Reply>, Result<Vec<u8>, String>) {
    let framing = Framing::built_in().into_iter().find(|one| one.name == framing).expect("a framing");
    let (mut replies, mut shown) = (Replies::new(framing, max), Vec::new());
    for read in reads {
        let received = replies.receive(read, |reply, end| {
            shown.push([reply.to_vec(), end.to_vec()]);
            Ok(())
        });
        match received {
            Ok(()) => {}
            Err(Trouble::NoReply(why)) => return (shown, Err(why)),
            Err(Trouble::Unheard(error)) => return (shown, Err(error.to_string())),
        }
    }
    (shown, Ok(replies.unfinished().to_vec()))
}

/// Parses the value of a flag: the parsed value as text, or the error.
pub type Parse = fn(&str) -> Result<String, String>;

/// The parsers of the values of flags.
pub const VALUES: &[(&str, Parse)] = &[
    ("address", |text| {
        text.parse::<Target>().map(|target| target.to_string()).map_err(|error| error.to_string())
    }),
    ("core", |text| debug(cpu(text))),
    ("count", |text| debug(count(1, 1_000_000_usize)(text))),
    ("count above zero", |text| debug(nonzero(text))),
    ("number", |text| debug(number(0, u64::MAX)(text))),
    ("objective", |text| debug(text.parse::<Slo>())),
    ("rate", |text| debug(rate(text))),
    ("size", |text| text.parse::<Size>().map(|size| size.to_string())),
    ("size above zero", |text| debug(size_above_zero(text))),
    ("sizes", |text| debug(sizes(text))),
    ("TCP address", |text| address::of_tcp(text).map(|target| target.to_string())),
    ("threads", |text| debug(threads(64)(text))),
    ("time", |text| text.parse::<Time>().map(|time| time.to_string())),
    ("time above zero", |text| debug(time_above_zero(text))),
];

fn debug(parsed: Result<impl Debug, String>) -> Result<String, String> {
    parsed.map(|value| format!("{value:?}"))
}
