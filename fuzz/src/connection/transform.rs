//! A transform: records of a length byte and inverted bytes. A record without bytes is the last.

use anyloop::transform::{MAX_READ, Opened, Transform};

#[derive(Debug)]
pub(super) struct Records;

/// The last record.
pub(super) const END: &[u8] = &[0];

impl Transform for Records {
    fn open(&mut self, input: &mut [u8], plain: &mut Vec<u8>, _: &mut Vec<u8>) -> Opened {
        let Some((&length, rest)) = input.split_first() else { return Opened::More { used: 0 } };
        let length = usize::from(length);
        if length == 0 {
            return Opened::End;
        }
        if rest.len() < length {
            return Opened::More { used: 0 };
        }
        let more = rest.len() > length;
        if length % 2 == 0 {
            input[1..=length].iter_mut().for_each(|byte| *byte = !*byte);
            return Opened::InPlace { used: length + 1, plain: 1..length + 1, more };
        }
        assert!(plain.is_empty() && plain.capacity() >= MAX_READ);
        plain.extend(rest[..length].iter().map(|byte| !byte));
        Opened::Plain { used: length + 1, more }
    }

    fn seal(&mut self, plain: &[u8], sealed: &mut Vec<u8>) {
        seal(plain, sealed);
    }

    fn close(&mut self, sealed: &mut Vec<u8>) {
        sealed.extend_from_slice(END);
    }
}

/// Appends the records of these bytes. Most of a run may be spent here, so it works on whole slices.
pub(super) fn seal(plain: &[u8], sealed: &mut Vec<u8>) {
    for bytes in plain.chunks(255) {
        sealed.push(bytes.len() as u8);
        append_inverted(bytes, sealed);
    }
}

/// The bytes in the complete records, and whether the last of them was the last of all.
pub(super) fn open(mut sealed: &[u8]) -> (Vec<u8>, bool) {
    let mut plain = Vec::with_capacity(sealed.len());
    while let Some((&length, rest)) = sealed.split_first() {
        if length == 0 {
            assert_eq!(rest, b"", "output after the last record");
            return (plain, true);
        }
        let Some((bytes, rest)) = rest.split_at_checked(length.into()) else { break };
        append_inverted(bytes, &mut plain);
        sealed = rest;
    }
    (plain, false)
}

fn append_inverted(bytes: &[u8], to: &mut Vec<u8>) {
    let start = to.len();
    to.extend_from_slice(bytes);
    to[start..].iter_mut().for_each(|byte| *byte = !*byte);
}
