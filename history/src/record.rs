//! The records of a history, and how a file holds them.

use std::io::{self, ErrorKind, Read};
use std::time::Duration;

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

/// The length of a record in a file, in bytes.
pub const RECORD: usize = 16;

/// The first bytes of a history.
const MAGIC: &[u8; 8] = b"anyhist1";

/// The longest description, in bytes.
const LONGEST_DESCRIPTION: usize = 64 * 1024;

/// The greatest length that a record holds. It stands for all greater ones.
const LONGEST: u32 = 0xff_ffff;

/// The length and the hash of a text. Two digests are equal if their texts are, and hardly ever otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Digest {
    /// The length in bytes, at most 16,777,215, which stands for all greater lengths.
    pub length: u32,
    /// The hash: XXH3 of 64 bits, with the seed 0.
    pub hash: u64,
}

impl Digest {
    /// The digest of a text.
    #[inline]
    pub fn of(text: &[u8]) -> Self {
        let length = u32::try_from(text.len()).map_or(LONGEST, |length| length.min(LONGEST));
        Self { length, hash: xxh3_64(text) }
    }
}

/// What happened on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The time of the records behind this one, since the start. It is of no connection.
    Time(Duration),
    /// The connection was established. The client has this number for it.
    Opened(u64),
    /// A request was sent, which is answered by a reply with this digest, or by one that the client accepts.
    Request(Digest),
    /// A reply came.
    Reply(Digest),
    /// A reply came, and the client accepted it by a rule.
    Accepted(Digest),
    /// A reply came, and the client rejected it by a rule, or it was malformed.
    Rejected(Digest),
    /// An error reply refused the oldest unanswered request.
    Refused(Digest),
    /// An error reply announced that the server ends the connection.
    Farewell(Digest),
    /// The server or the network ended the connection.
    Died,
    /// The client ended the connection, and no longer waited for replies.
    Left,
    /// The client was interrupted, and ended the connection before it had waited for replies.
    Interrupted,
    /// The history ends, after this number of records. It is of no connection.
    End(u64),
    /// The server also receives messages of this load that are not in the history. It is of no connection.
    Unrecorded,
}

/// An event of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The number of the connection, which no other connection of the history has.
    pub connection: u32,
    /// What happened.
    pub event: Event,
}

impl Record {
    /// The bytes of the record in a file.
    #[inline]
    pub fn encode(self) -> [u8; RECORD] {
        let (kind, length, value) = match self.event {
            Event::Time(time) => (1, 0, u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)),
            Event::Opened(client) => (2, 0, client),
            Event::Request(Digest { length, hash }) => (3, length, hash),
            Event::Reply(Digest { length, hash }) => (4, length, hash),
            Event::Accepted(Digest { length, hash }) => (5, length, hash),
            Event::Rejected(Digest { length, hash }) => (6, length, hash),
            Event::Refused(Digest { length, hash }) => (7, length, hash),
            Event::Farewell(Digest { length, hash }) => (8, length, hash),
            Event::Died => (9, 0, 0),
            Event::Left => (10, 0, 0),
            Event::Interrupted => (11, 0, 0),
            Event::End(records) => (12, 0, records),
            Event::Unrecorded => (13, 0, 0),
        };
        let mut bytes = [0; RECORD];
        bytes[..4].copy_from_slice(&(kind | length.min(LONGEST) << 8).to_le_bytes());
        bytes[4..8].copy_from_slice(&self.connection.to_le_bytes());
        bytes[8..].copy_from_slice(&value.to_le_bytes());
        bytes
    }

    /// The record with these bytes; `None` if its kind is unknown.
    #[inline]
    pub fn decode(bytes: &[u8; RECORD]) -> Option<Self> {
        let number = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let value = u64::from(number(8)) | u64::from(number(12)) << 32;
        let digest = Digest { length: number(0) >> 8, hash: value };
        let event = match bytes[0] {
            1 => Event::Time(Duration::from_nanos(value)),
            2 => Event::Opened(value),
            3 => Event::Request(digest),
            4 => Event::Reply(digest),
            5 => Event::Accepted(digest),
            6 => Event::Rejected(digest),
            7 => Event::Refused(digest),
            8 => Event::Farewell(digest),
            9 => Event::Died,
            10 => Event::Left,
            11 => Event::Interrupted,
            12 => Event::End(value),
            13 => Event::Unrecorded,
            _ => return None,
        };
        Some(Self { connection: number(4), event })
    }
}

/// The first bytes of a history with this description, which is cut at 64 KiB.
pub(crate) fn header(description: &str) -> Vec<u8> {
    let description = &description[..description.floor_char_boundary(LONGEST_DESCRIPTION)];
    let length = description.len() as u32; // at most 64 KiB
    [&MAGIC[..], &length.to_le_bytes(), description.as_bytes()].concat()
}

/// Reads a history, one record after the other.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    description: String,
    records: u64,
    is_complete: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the description. The input should be buffered.
    ///
    /// # Errors
    /// If reading fails, or if this is no history (`InvalidData`).
    pub fn new(mut input: R) -> io::Result<Self> {
        let mut head = [0; 12];
        let count = read_fully(&mut input, &mut head)?;
        if count < head.len() || !head.starts_with(MAGIC) {
            return Err(invalid("it is not a history: it doesn't begin with `anyhist1`".into()));
        }
        let length = u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize;
        if length > LONGEST_DESCRIPTION {
            return Err(invalid(format!(
                "its description of {length} bytes is too long; at most 65536 are allowed"
            )));
        }
        let mut description = vec![0; length];
        let count = read_fully(&mut input, &mut description)?;
        description.truncate(count);
        let description = String::from_utf8_lossy(&description).into_owned();
        Ok(Self { input, description, records: 0, is_complete: false })
    }

    /// The description of the load.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Whether the end was read. If not, and there are no more records, the file was cut off.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Reads the next record; `None` after the last one. The end of the history is not returned.
    ///
    /// # Errors
    /// If reading fails, or if a record is invalid (`InvalidData`).
    pub fn read(&mut self) -> io::Result<Option<Record>> {
        let mut bytes = [0; RECORD];
        let count = read_fully(&mut self.input, &mut bytes)?;
        if self.is_complete && count > 0 {
            return Err(invalid("there are bytes behind its end".into()));
        }
        if count < RECORD {
            return Ok(None);
        }
        let Some(record) = Record::decode(&bytes) else {
            return Err(invalid(format!("record {} has the unknown kind {}", self.records, bytes[0])));
        };
        if let Event::End(records) = record.event {
            if records != self.records {
                let read = self.records;
                return Err(invalid(format!("{read} records are before its end, which says {records}")));
            }
            self.is_complete = true;
            return self.read();
        }
        self.records += 1;
        Ok(Some(record))
    }
}

/// Reads until the buffer is full or the input ends. Returns the number of bytes.
fn read_fully(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match input.read(&mut buffer[count..]) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

pub(crate) fn invalid(why: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_read_as_it_was_written() {
        let digest = Digest { length: LONGEST, hash: u64::MAX - 1 };
        let time = Duration::from_nanos(u64::MAX);
        for event in [
            Event::Time(time),
            Event::Opened(u64::MAX),
            Event::Request(digest),
            Event::Reply(digest),
            Event::Accepted(digest),
            Event::Rejected(digest),
            Event::Refused(digest),
            Event::Farewell(digest),
            Event::Died,
            Event::Left,
            Event::Interrupted,
            Event::End(7),
            Event::Unrecorded,
        ] {
            for connection in [0, 1, u32::MAX] {
                let record = Record { connection, event };
                assert_eq!(Record::decode(&record.encode()), Some(record));
            }
        }
        for kind in [0, 14, 255] {
            assert_eq!(Record::decode(&[kind; RECORD]), None);
        }
    }

    #[test]
    fn the_format_is_stable() {
        let record = Record { connection: 0x0403_0201, event: Event::Request(Digest::of(b"hello")) };
        assert_eq!(record.encode()[..8], [3, 5, 0, 0, 1, 2, 3, 4]);
        assert_eq!(
            Digest::of(b""),
            Digest { length: 0, hash: 0x2d06_8005_38d3_94c2 },
            "XXH3's own test vector"
        );
    }

    #[test]
    fn the_greatest_length_stands_for_all_greater_ones() {
        for (length, expected) in [(LONGEST - 1, LONGEST - 1), (LONGEST, LONGEST), (LONGEST + 1, LONGEST)] {
            assert_eq!(Digest::of(&vec![b'x'; length as usize]).length, expected);
        }
    }

    #[test]
    fn what_is_no_history_is_refused() {
        let read = |bytes: &[u8]| {
            let mut reader = Reader::new(bytes)?;
            while reader.read()?.is_some() {}
            Ok::<_, io::Error>(reader.is_complete())
        };
        let end = |records| Record { connection: 0, event: Event::End(records) }.encode();
        let died = Record { connection: 1, event: Event::Died }.encode();
        let history = |records: &[&[u8]]| [&header("text")[..], &records.concat()].concat();
        assert!(read(&history(&[&died, &end(1)])).unwrap());
        assert!(!read(&history(&[&died])).unwrap(), "it was cut off");
        assert!(!read(&history(&[&died, &end(1)[..15]])).unwrap(), "it was cut off within a record");
        assert!(!read(&header("text")[..14]).unwrap(), "it was cut off within the description");
        let long = [&MAGIC[..], &[1, 0, 1, 0]].concat();
        for (bytes, why) in [
            (&b""[..], "it is not a history"),
            (b"{\"load\": 1}  ", "it is not a history"),
            (&long, "its description of 65537 bytes is too long"),
            (&history(&[&died, &end(2)]), "1 records are before its end, which says 2"),
            (&history(&[&end(0), &died]), "there are bytes behind its end"),
            (&history(&[&[99; RECORD]]), "record 0 has the unknown kind 99"),
        ] {
            let error = read(bytes).unwrap_err();
            assert!(error.kind() == ErrorKind::InvalidData && error.to_string().starts_with(why), "{error}");
        }
    }

    #[test]
    fn a_long_description_is_cut_at_a_character() {
        let long = header(&"é".repeat(LONGEST_DESCRIPTION));
        assert_eq!(Reader::new(&long[..]).unwrap().description().len(), LONGEST_DESCRIPTION);
        let odd = header(&format!("x{}", "é".repeat(LONGEST_DESCRIPTION)));
        assert_eq!(Reader::new(&odd[..]).unwrap().description().len(), LONGEST_DESCRIPTION - 1);
    }
}
