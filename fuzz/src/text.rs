//! What the command does with text from others: the replies that the client shows, the escaper, and values of flags.

use std::time::Duration;

use anyloop::Address;
use anyloop_cli::fuzzing::{self, VALUES};
use anyloop_cli::quantity::{Size, Time};
use arbitrary::{Result, Unstructured};

use crate::pieces::Cuts;

/// The replies that the client finds in what a server sends.
pub fn client_replies(data: &[u8]) {
    let _ = replies(&mut Unstructured::new(data));
}

fn replies(data: &mut Unstructured<'_>) -> Result<()> {
    let (cuts, max) = (Cuts::new(data)?, usize::from(data.arbitrary::<u8>()?));
    let framing = *data.choose(&["line", "length"])?;
    let input = data.bytes(data.len())?;
    let (whole, rest) = fuzzing::replies(framing, max, &[input]);
    let (in_pieces, rest_of_pieces) = fuzzing::replies(framing, max, &cuts.pieces(input));
    assert_eq!(whole, in_pieces);
    // The text of an error may depend on how much of the reply has arrived.
    assert_eq!(rest.as_ref().ok(), rest_of_pieces.as_ref().ok());
    assert!(whole.iter().all(|[reply, _]| reply.len() <= max));
    if let Ok(rest) = rest {
        let header = if framing == "line" { 0 } else { 4 };
        assert!(rest.len() <= max + header + 1, "{} bytes are kept", rest.len());
        let bytes = whole.into_iter().flat_map(|[reply, end]| match framing {
            "line" => [reply, end].concat(),
            _ => [&(reply.len() as u32).to_be_bytes()[..], &reply].concat(),
        });
        assert_eq!(bytes.chain(rest).collect::<Vec<_>>(), input);
    }
    Ok(())
}

/// What a terminal or a log shows of any bytes: printable characters, and nothing that has an effect.
pub fn escape(data: &[u8]) {
    for tabs in [false, true] {
        let shown = fuzzing::escaped(data, tabs);
        for character in shown.chars() {
            let affects = match character {
                '\t' => !tabs,
                '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' => true,
                '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
                '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => true,
                character => character.is_control(),
            };
            assert!(!affects, "{character:?} in {shown:?}");
        }
        assert_eq!(fuzzing::escaped(shown.as_bytes(), tabs), shown, "what is escaped has no need of it");
        let printable = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ' || (tabs && *byte == b'\t');
        if data.iter().all(printable) {
            assert_eq!(shown.as_bytes(), data);
        }
    }
}

/// The values of flags: any text, and well-formed sizes and times.
pub fn values(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for (name, parse) in VALUES {
        match parse(&text) {
            Ok(_) => {}
            Err(error) => assert!(!error.is_empty(), "{name}"),
        }
    }
    round_trip::<Size>(&text);
    round_trip::<Time>(&text);
    round_trip::<Address>(&text);
    let _ = quantities(&mut Unstructured::new(data));
}

/// A value is the same after it was written and parsed again.
fn round_trip<T: std::str::FromStr + std::fmt::Display + PartialEq + std::fmt::Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let written = value.to_string();
        assert_eq!(written.parse::<T>().ok(), Some(value), "{text:?} is written as {written:?}");
    }
}

/// A decimal number and a unit, for which the value is known.
fn quantities(data: &mut Unstructured<'_>) -> Result<()> {
    let (whole, digits, places) =
        (data.arbitrary::<u32>()?, data.arbitrary::<u16>()?, data.int_in_range(0..=5)?);
    let fraction = u128::from(digits) % 10_u128.pow(places);
    let number = match places {
        0 => whole.to_string(),
        _ => format!("{whole}.{fraction:0width$}", width = places as usize),
    };
    let times = |factor: u128| {
        let scaled = (u128::from(whole) * 10_u128.pow(places) + fraction) * factor;
        scaled.is_multiple_of(10_u128.pow(places)).then(|| scaled / 10_u128.pow(places))
    };
    let (unit, factor) =
        *data.choose(&[("", 1), ("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)])?;
    let bytes = times(factor).filter(|&bytes| bytes <= 1 << 30);
    let parsed = format!("{number}{unit}").parse::<Size>().ok();
    assert_eq!(parsed.map(|Size(size)| size as u128), bytes, "{number}{unit}");
    let (unit, factor) =
        *data.choose(&[("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)])?;
    let year = Duration::from_secs(365 * 24 * 60 * 60);
    let time = times(factor).filter(|&time| time <= year.as_nanos());
    let parsed = format!("{number}{unit}").parse::<Time>().ok();
    assert_eq!(parsed.map(|Time(time)| time.as_nanos()), time, "{number}{unit}");
    Ok(())
}
