use std::collections::HashSet;

use super::*;
use crate::messages::MessageHook;

fn composer(messages: &Messages, framing: Framing) -> Composer<'_> {
    Composer::new(messages, framing, &Expect::Echo, fastrand::Rng::with_seed(1))
}

#[test]
fn a_payload_matches_only_its_own_message() {
    let messages = Messages::Made(Sizes::Fixed(100));
    let mut composer = composer(&messages, Framing::Line);
    for length in [1, 2, 7, 8, 9, 16, 17, 31, 99] {
        let payload = composer.payload(7, (11, length), b"").to_vec();
        assert_eq!(payload.len(), length);
        assert!(composer.is(&payload, 7, (11, length), b""));
        assert!(!composer.is(&payload, 7, (12, length), b""), "{length}");
        assert!(!composer.is(&payload, 7, (11, length + 1), b""));
        assert_eq!(parse(&payload), (length >= IDENTITY).then_some((11, 7)), "{length}");
    }
}

#[test]
fn paddings_differ_between_messages() {
    let messages = Messages::Made(Sizes::Fixed(48));
    let mut composer = composer(&messages, Framing::Line);
    let messages = (0..64).flat_map(|connection| (0..100).map(move |number| (connection, number)));
    let paddings: Vec<_> = messages
        .map(|(connection, number)| composer.payload(connection, (number, 47), b"")[16..].to_vec())
        .collect();
    // 6,400 of 16,384 offsets: random draws would give 5,300 different ones.
    let different = paddings.iter().collect::<HashSet<_>>().len();
    assert!(different > 5000, "{different} of {}", paddings.len());
    let neighbours = paddings.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert!(neighbours <= 2, "{neighbours} messages end as the one before");
}

#[test]
fn custom_messages_are_sent_in_rotation() {
    let messages = Messages::Own([b"a".to_vec(), b"bc".to_vec()].into());
    let mut composer = composer(&messages, Framing::Line);
    let mut out = Vec::new();
    let lengths: Vec<_> = (0..3).map(|number| composer.write(5, number, None, &mut out)).collect();
    assert_eq!((lengths, &*out), (vec![1, 2, 1], &b"a\nbc\na\n"[..]));
    assert!(composer.is(b"bc", 5, (1, 2), b"") && !composer.is(b"bc", 5, (2, 1), b""));
    composer.write_again(5, (1, 2), b"", None, &mut out);
    assert!(out.ends_with(b"a\nbc\n"));
}

#[test]
fn a_function_writes_messages() {
    let hook =
        MessageHook::new(|connection, number, buffer| write!(buffer, "{connection}.{number}").unwrap());
    let messages = Messages::By(hook);
    for (framing, expected) in
        [(Framing::Line, &b"3.14\n"[..]), (Framing::Resp, b"3.14"), (Framing::Http, b"3.14")]
    {
        let parser = (framing != Framing::Line).then(|| framing.parser());
        let (mut composer, mut out) = (composer(&messages, framing), Vec::new());
        assert_eq!(composer.write(3, 14, parser.as_ref(), &mut out), 4);
        assert_eq!((&*out, composer.last_written()), (expected, &b"3.14"[..]), "{framing:?}");
        assert_eq!(composer.payload(3, (14, 4), b"kept"), b"kept");
    }
}

#[test]
fn messages_for_redis_are_echoed_by_it() {
    let messages = Messages::Made(Sizes::Fixed(20));
    let (mut composer, mut out) = (composer(&messages, Framing::Resp), Vec::new());
    let parser = Framing::Resp.parser();
    assert_eq!(composer.write(3, 14, Some(&parser), &mut out), 20);
    let payload = composer.payload(3, (14, 20), b"").to_vec();
    assert_eq!(out, Framing::Resp.message(&payload));
}

#[test]
fn digits_are_hexadecimal() {
    for number in (0..100_000).step_by(7).chain([0x89ab_cdef, 0x0123_4567, u32::MAX]) {
        let expected: String = format!("{number:08x}").chars().rev().collect();
        assert_eq!(digits(number), expected.as_bytes());
        assert_eq!(super::number(digits(number)), number);
    }
}

#[test]
fn other_characters_are_no_numbers() {
    assert_eq!(parse(b"b0000000f7000000rest"), Some((11, 127)));
    for payload in
        [&b"b0000000f700000"[..], b"B0000000f7000000", b"b0000000f7000:00", b"b000000\xfff7000000", b""]
    {
        assert_eq!(parse(payload), None, "{}", payload.escape_ascii());
    }
}
