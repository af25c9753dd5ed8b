//! The messages that `load` and `compare` send to the store, and the verification of its replies.
//!
//! Of four commands of a client one is SET, two are GET, and one is INCR. Each client has its own keys, and values that
//! contain the key, so that a reply with another client's value, or with an old one, is detected.

use std::io::Write;

/// How many keys each client sets.
const KEYS: u64 = 64;

/// Writes a command in wire format: an array of bulk strings.
pub(crate) fn write(client: u32, number: u64, buffer: &mut Vec<u8>) {
    let key = format!("{client}:{}", number / 4 % KEYS);
    match number % 4 {
        0 => command(&["SET", &key, &value(&key)], buffer),
        1 | 2 => command(&["GET", &key], buffer),
        _ => command(&["INCR", &format!("counter:{client}")], buffer),
    }
}

/// Whether a reply answers a command.
pub(crate) fn is_answer(command: &[u8], reply: &[u8]) -> bool {
    let mut lines = command.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end);
    // Each word is preceded by its length.
    let (Some(name), Some(key)) = (lines.nth(2), lines.nth(1)) else { return false };
    match name {
        b"SET" => reply == b"+OK\r\n",
        b"INCR" => {
            let digits = reply.strip_prefix(b":").and_then(|reply| reply.strip_suffix(b"\r\n"));
            digits.is_some_and(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
        }
        _ => {
            let value = value(&String::from_utf8_lossy(key));
            reply == format!("${}\r\n{value}\r\n", value.len()).as_bytes()
        }
    }
}

/// The value of a key.
fn value(key: &str) -> String {
    format!("the value of {key}")
}

fn command(words: &[&str], buffer: &mut Vec<u8>) {
    // Writing to a `Vec` can't fail.
    let _ = write!(buffer, "*{}\r\n", words.len());
    for word in words {
        let _ = write!(buffer, "${}\r\n{word}\r\n", word.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_replies_are_distinguished() {
        for (number, right, wrong) in [
            (0, "+OK\r\n", "-ERR\r\n"),
            (1, "$16\r\nthe value of 7:0\r\n", "$16\r\nthe value of 8:0\r\n"),
            (6, "$16\r\nthe value of 7:1\r\n", "$-1\r\n"),
            (3, ":12\r\n", ":\r\n"),
        ] {
            let mut command = Vec::new();
            write(7, number, &mut command);
            assert!(is_answer(&command, right.as_bytes()), "{number}");
            assert!(!is_answer(&command, wrong.as_bytes()), "{number}");
        }
    }
}
