use super::*;

/// The words of each command, and the final result.
fn parse(max: usize, pieces: &[&[u8]]) -> (Vec<Vec<String>>, Parsed) {
    let (mut request, mut input, mut commands) = (Request::new(max), Vec::new(), Vec::new());
    let mut last = Parsed::More;
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            last = request.parse(&input);
            match &last {
                Parsed::Command { used } => {
                    let words = request.arguments(&input).from(0);
                    commands.push(words.map(|word| word.escape_ascii().to_string()).collect());
                    request.clear();
                    input.drain(..used);
                }
                Parsed::Empty { used } => drop(input.drain(..used)),
                Parsed::More | Parsed::Broken(_) => break,
            }
        }
    }
    (commands, last)
}

const ALL: &[u8] =
    b"*2\r\n$4\r\nECHO\r\n$4\r\na\r\nb\r\nPING\n\r\n*0\r\n*-5\r\n  set k\tv \r\n*1\r\n$0\r\n\r\n";

#[test]
fn commands_are_found_however_they_are_split() {
    let expected: [&[&str]; 4] = [&["ECHO", "a\\r\\nb"], &["PING"], &["set", "k", "v"], &[""]];
    for split in 0..=ALL.len() {
        let (commands, last) = parse(1000, &[&ALL[..split], &ALL[split..]]);
        assert_eq!(
            (commands, last),
            (expected.map(|words| words.iter().map(|&word| word.to_owned()).collect()).into(), Parsed::More),
            "{split}"
        );
    }
    let bytes: Vec<&[u8]> = ALL.chunks(1).collect();
    assert_eq!(parse(1000, &bytes).0.len(), 4);
}

#[test]
fn the_limit_is_on_the_whole_command() {
    for command in [&b"*1\r\n$4\r\nPING\r\n"[..], b"*2\r\n$1\r\na\r\n$1\r\nb\r\n", b"ping\r\n"] {
        for (max, passes) in [(command.len() + 1, true), (command.len(), true), (command.len() - 1, false)] {
            let (commands, last) = parse(max, &[command]);
            assert_eq!(commands.len() == 1, passes, "{max}");
            assert_eq!(last == Parsed::Broken(ErrorReply::TooLong { max }), !passes, "{max}: {last:?}");
        }
    }
    // The error is returned as soon as it is certain, before the bytes are received.
    for begun in [&b"*2\r\n$1\r\na\r\n$64\r\n"[..], b"*11\r\n", b"*9223372036854775807\r\n", &[b'x'; 64]] {
        assert_eq!(parse(64, &[begun]).1, Parsed::Broken(ErrorReply::TooLong { max: 64 }), "{begun:?}");
    }
}

#[test]
fn invalid_commands_are_refused() {
    for input in [
        "*x\r\n",
        "*1\n",
        "*02\r\n",
        "*+1\r\n",
        "*-0\r\n",
        "*1\r\n$04\r\n",
        "*1\r\n$-0\r\n",
        "ECHO \"\n",
        "*1\r\n:1\r\n",
        "*1\r\n$-1\r\n",
        "*1\r\n$1\r\nabc",
        "*1\r\n$\r\n",
        "*0000000000000000000000000",
    ] {
        let (_, last) = parse(1000, &[input.as_bytes()]);
        assert!(matches!(last, Parsed::Broken(ErrorReply::Malformed(_))), "{input:?}: {last:?}");
    }
}

#[test]
fn bytes_are_scanned_once() {
    let mut request = Request::new(1000);
    for (input, at) in
        [("*2\r\n$4\r\nEC", 8), ("*2\r\n$4\r\nECHO\r\n$", 14), ("*2\r\n$4\r\nECHO\r\n$100\r\nx", 20)]
    {
        assert_eq!(request.parse(input.as_bytes()), Parsed::More);
        assert_eq!(request.at, at);
    }
    let mut request = Request::new(1000);
    assert_eq!((request.parse(b"pin"), request.at), (Parsed::More, 3));
}
