//! Histories with one fault each, at random places: each is found, and named.

use std::io::Write;
use std::sync::{Arc, Mutex};

use super::*;
use crate::writer::Writer;

mod alike;

/// What happened in a sound run: connections with several requests in flight.
struct Run {
    records: Vec<Record>,
    random: fastrand::Rng,
}

const CONNECTIONS: u32 = 5;
const REQUESTS: u64 = 40;
const DEPTH: u64 = 4;

fn payload(connection: u32, request: u64) -> Digest {
    Digest::of(
        format!("{connection} {request}, {}", (connection as u64 ^ request).wrapping_mul(0x9e37_79b9))
            .as_bytes(),
    )
}

fn at(connection: u32, event: Event) -> Record {
    Record { connection, event }
}

impl Run {
    fn sound(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut records: Vec<_> =
            (0..CONNECTIONS).map(|connection| at(connection, Event::Opened(connection.into()))).collect();
        let mut counts = [(0, 0); CONNECTIONS as usize];
        loop {
            let open: Vec<_> = (0..CONNECTIONS).filter(|its| counts[*its as usize].1 < REQUESTS).collect();
            let Some(&connection) = random.choice(&open) else { break };
            let (sent, answered) = &mut counts[connection as usize];
            let sends =
                *sent < REQUESTS && *sent - *answered < DEPTH && (*sent == *answered || random.bool());
            let count = if sends { sent } else { answered };
            let digest = payload(connection, *count);
            *count += 1;
            records.push(at(connection, if sends { Event::Request(digest) } else { Event::Reply(digest) }));
        }
        records.extend((0..CONNECTIONS).map(|connection| at(connection, Event::Left)));
        Self { records, random }
    }

    /// The place of a random reply for which a condition holds.
    fn reply(&mut self, fits: impl Fn(&[Record], usize) -> bool) -> usize {
        let is_reply = |record: &Record| matches!(record.event, Event::Reply(_));
        let places = 0..self.records.len();
        let places: Vec<_> =
            places.filter(|place| is_reply(&self.records[*place]) && fits(&self.records, *place)).collect();
        *self.random.choice(&places).unwrap()
    }

    fn verdict(&self) -> Verdict {
        let mut judge = Judge::new("");
        self.records.iter().for_each(|record| judge.take(*record).unwrap());
        judge.conclude(true)
    }

    /// The only violation, and the number of requests that failed.
    fn violation(&self) -> (u32, u64, Fault, u64) {
        let Verdict { violations, failed, .. } = self.verdict();
        assert_eq!(violations.len(), 1, "{violations:?}");
        let (connection, request) = place_of(&violations[0]);
        (connection, request, violations[0].fault, failed)
    }
}

/// The connection and the request where something is wrong.
fn place_of(violation: &Violation) -> (u32, u64) {
    violation.place.as_ref().map(|place| (place.connection, place.request)).unwrap()
}

/// The next reply of the same connection.
fn next_reply(records: &[Record], place: usize) -> Option<usize> {
    let its = records[place].connection;
    let is_its = |record: &Record| record.connection == its && matches!(record.event, Event::Reply(_));
    records[place + 1..].iter().position(is_its).map(|distance| place + 1 + distance)
}

/// The number of the request that a reply answers.
fn number(records: &[Record], place: usize) -> u64 {
    let its = records[place].connection;
    let is_its = |record: &&Record| record.connection == its && matches!(record.event, Event::Reply(_));
    records[..place].iter().filter(is_its).count() as u64
}

/// Whether the request of a connection with this number was sent before this place.
fn is_sent(records: &[Record], place: usize, connection: u32, request: u64) -> bool {
    records[..place].contains(&at(connection, Event::Request(payload(connection, request))))
}

const SEEDS: std::ops::Range<u64> = 0..200;

#[test]
fn a_sound_history_passes() {
    for seed in SEEDS {
        let verdict = Run::sound(seed).verdict();
        let all = u64::from(CONNECTIONS) * REQUESTS;
        assert!(verdict.passes(), "{verdict}");
        assert_eq!((verdict.requests, verdict.answered, verdict.connections), (all, all, CONNECTIONS.into()));
    }
}

#[test]
fn swapped_replies_are_found() {
    for seed in SEEDS {
        let mut run = Run::sound(seed);
        let place = run.reply(|records, place| {
            let (connection, request) = (records[place].connection, number(records, place));
            next_reply(records, place).is_some() && is_sent(records, place, connection, request + 1)
        });
        let (connection, request) = (run.records[place].connection, number(&run.records, place));
        let other = next_reply(&run.records, place).unwrap();
        run.records.swap(place, other);
        assert_eq!(run.violation(), (connection, request, Fault::Reordered, 1), "seed {seed}");
    }
}

#[test]
fn a_dropped_reply_is_found() {
    for seed in SEEDS {
        let mut run = Run::sound(seed);
        let place = run.reply(|_, _| true);
        let (connection, request) = (run.records[place].connection, number(&run.records, place));
        run.records.remove(place);
        assert_eq!(run.violation(), (connection, request, Fault::Lost, 1), "seed {seed}");
    }
}

#[test]
fn a_dropped_reply_is_lost_even_if_its_connection_died_later() {
    for seed in SEEDS {
        let mut run = Run::sound(seed);
        let place = run.reply(|records, place| next_reply(records, place).is_some());
        let (connection, request) = (run.records[place].connection, number(&run.records, place));
        let next = next_reply(&run.records, place).unwrap();
        run.records.retain({
            let mut index = 0;
            move |record| {
                index += 1;
                record.connection != connection || index <= next + 1 && index != place + 1
            }
        });
        run.records.push(at(connection, Event::Died));
        assert_eq!(run.violation(), (connection, request, Fault::Lost, 1), "seed {seed}");
    }
}

#[test]
fn a_doubled_reply_is_found() {
    for seed in SEEDS {
        let mut run = Run::sound(seed);
        let place = run.reply(|_, _| true);
        let (connection, request) = (run.records[place].connection, number(&run.records, place));
        let mut again = place + 1;
        while run.random.bool() && run.records.get(again).is_some_and(|next| next.event != Event::Left) {
            again += 1;
        }
        run.records.insert(again, run.records[place]);
        assert_eq!(run.violation(), (connection, request, Fault::Doubled, 0), "seed {seed}");
    }
}

#[test]
fn another_connections_reply_is_named() {
    for seed in SEEDS {
        for replaces in [false, true] {
            let mut run = Run::sound(seed);
            let place =
                run.reply(|records, place| records[place].connection != 0 && number(records, place) > 0);
            let (connection, request) = (run.records[place].connection, number(&run.records, place));
            let of_request = run.random.u64(..REQUESTS);
            let is_recorded = is_sent(&run.records, place, 0, of_request);
            let leaked = at(connection, Event::Reply(payload(0, of_request)));
            match replaces {
                true => run.records[place] = leaked,
                false => run.records.insert(place, leaked),
            }
            let foreign = Fault::Foreign { of_connection: 0, of_request };
            let violations = run.verdict().violations;
            // It stands in place of the reply, or before it; which of both shows in what follows.
            assert_eq!((place_of(&violations[0]), violations[0].fault), ((connection, request), foreign));
            let rest: Vec<_> =
                violations[1..].iter().map(|violation| (place_of(violation).1, violation.fault)).collect();
            match (is_recorded, replaces) {
                (true, true) => assert_eq!(rest, [(request, Fault::Lost)], "seed {seed}"),
                (true, false) | (false, true) => assert_eq!(rest, [], "seed {seed}"),
                // The judge took it for the reply, so the reply came again.
                (false, false) => assert_eq!(rest, [(request, Fault::Doubled)], "seed {seed}"),
            }
        }
    }
}

#[test]
fn an_altered_or_truncated_reply_is_found() {
    for seed in SEEDS {
        for came in [Digest::of(b"another reply, of nobody"), Digest::of(b"")] {
            let mut run = Run::sound(seed);
            let place = run.reply(|_, _| true);
            let (connection, request) = (run.records[place].connection, number(&run.records, place));
            run.records[place].event = Event::Reply(came);
            let expected = payload(connection, request);
            let altered = Fault::Altered { expected, came };
            assert_eq!(run.violation(), (connection, request, altered, 1), "seed {seed}");
            assert!(altered.to_string().starts_with("another reply: "), "{altered}");
        }
    }
}

#[test]
fn one_altered_bit_changes_the_digest() {
    let text = b"a payload of some length".to_vec();
    for bit in 0..text.len() * 8 {
        let mut altered = text.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert_ne!(Digest::of(&altered), Digest::of(&text));
    }
}

#[test]
fn a_reply_without_a_request_is_found() {
    let came = Digest::of(b"hello");
    for event in [Event::Reply(came), Event::Accepted(came), Event::Rejected(came), Event::Refused(came)] {
        let records = vec![at(7, Event::Opened(1)), at(7, event), at(7, Event::Left)];
        let run = Run { records, random: fastrand::Rng::with_seed(0) };
        assert_eq!(run.violation(), (7, 0, Fault::Unasked { came }, 0));
    }
}

#[test]
fn a_reply_after_a_refusal_is_found() {
    for seed in SEEDS {
        let mut run = Run::sound(seed);
        let place = run.reply(|_, _| true);
        let Record { connection, event } = run.records[place];
        let request = number(&run.records, place);
        run.records.insert(place, at(connection, Event::Refused(Digest::of(b"ERR"))));
        assert!(matches!(event, Event::Reply(_)));
        assert_eq!(run.violation(), (connection, request, Fault::AfterRefusal, 0), "seed {seed}");
    }
}

#[test]
fn a_reply_after_a_farewell_is_found() {
    let (farewell, hello) = (Digest::of(b"ERR shutting-down"), Digest::of(b"hello"));
    let begin = [at(0, Event::Opened(0)), at(0, Event::Request(hello)), at(0, Event::Farewell(farewell))];
    let run = |rest: &[Record]| Run { records: [&begin, rest].concat(), random: fastrand::Rng::with_seed(0) };
    let told = run(&[at(0, Event::Died)]).verdict();
    assert!(told.passes() && told.unknown == 1, "{told}");
    let after = Fault::AfterFarewell { came: hello };
    assert_eq!(run(&[at(0, Event::Reply(hello)), at(0, Event::Died)]).violation(), (0, 1, after, 0));
}

#[test]
fn a_reply_that_the_client_rejects_is_found() {
    let digest = Digest::of(b"17:ACK!");
    let verdict = |event| {
        let records =
            vec![at(0, Event::Opened(0)), at(0, Event::Request(digest)), at(0, event), at(0, Event::Left)];
        Run { records, random: fastrand::Rng::with_seed(0) }.verdict()
    };
    let accepted = verdict(Event::Accepted(digest));
    assert!(accepted.passes() && (accepted.answered, accepted.accepted) == (1, 1), "{accepted}");
    assert!(!accepted.to_string().contains("its own reply"), "{accepted}");
    let rejected = verdict(Event::Rejected(digest));
    assert_eq!((rejected.failed, rejected.violations[0].fault), (1, Fault::Rejected { came: digest }));
}

#[test]
fn only_what_is_unanswered_when_its_connection_ends_is_unknown() {
    for (end, is_complete, unknown, lost) in [
        (Some(Event::Died), true, 2, 0),
        (Some(Event::Interrupted), true, 2, 0),
        (Some(Event::Left), true, 0, 2),
        (None, true, 0, 2),
        (None, false, 2, 0),
    ] {
        let mut judge = Judge::new("");
        judge.take(at(0, Event::Opened(0))).unwrap();
        (0..3).for_each(|request| judge.take(at(0, Event::Request(payload(0, request)))).unwrap());
        judge.take(at(0, Event::Reply(payload(0, 0)))).unwrap();
        end.map_or(Ok(()), |end| judge.take(at(0, end))).unwrap();
        let verdict = judge.conclude(is_complete);
        let is_lost = |violation: &&Violation| violation.fault == Fault::Lost;
        let count = verdict.violations.iter().filter(is_lost).count();
        assert_eq!((verdict.answered, verdict.unknown, count), (1, unknown, lost), "{end:?}: {verdict}");
        assert_eq!(verdict.broken_connections, 1);
        assert_eq!(verdict.requests, verdict.answered + verdict.refused + verdict.unknown + verdict.failed);
        assert_eq!(verdict.passes(), is_complete && lost == 0);
    }
}

#[test]
fn what_no_client_can_record_is_an_error() {
    for (records, why) in [
        (&[at(3, Event::Opened(0)), at(3, Event::Opened(0))][..], "connection 3 is established twice"),
        (&[at(3, Event::Reply(payload(0, 0)))], "connection 3 has an event, and is not established"),
        (&[at(3, Event::Opened(0)), at(3, Event::Died), at(3, Event::Died)], "connection 3 has an event"),
    ] {
        let mut judge = Judge::new("");
        let error = records.iter().find_map(|record| judge.take(*record).err()).unwrap();
        assert!(error.starts_with(why), "{error}");
    }
}

#[test]
fn the_judge_stops_when_too_much_is_wrong() {
    let history = history(|recorder| {
        let connection = recorder.open(0);
        for request in 0..3000 {
            recorder.request(connection, payload(0, request));
            recorder.reply(connection, payload(1, request));
        }
    });
    let verdict = verify(&history[..]).unwrap();
    assert!(verdict.is_stopped() && !verdict.passes(), "{verdict}");
    assert_eq!((verdict.violations.len(), verdict.failed), (MAX_VIOLATIONS, 1000));
}

/// The bytes that a writer writes.
fn history(record: impl FnOnce(&mut crate::Recorder)) -> Vec<u8> {
    #[derive(Clone, Default)]
    struct Output(Arc<Mutex<Vec<u8>>>);

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let output = Output::default();
    let writer = Writer::to(output.clone(), "a test").unwrap();
    let mut recorder = writer.recorder();
    record(&mut recorder);
    drop(recorder);
    writer.finish().unwrap();
    Arc::into_inner(output.0).unwrap().into_inner().unwrap()
}

#[test]
fn a_history_that_was_cut_off_has_no_verdict() {
    let whole = history(|recorder| {
        recorder.set_time(Duration::from_millis(1500));
        let connection = recorder.open(9);
        recorder.request(connection, payload(0, 0));
        recorder.reply(connection, payload(0, 0));
        recorder.left(connection);
    });
    let verdict = verify(&whole[..]).unwrap();
    assert!(
        verdict.passes() && (verdict.seconds, verdict.description.as_str()) == (1.5, "a test"),
        "{verdict}"
    );
    let first = whole.len() - 6 * crate::RECORD;
    for length in first..whole.len() {
        let verdict = verify(&whole[..length]).unwrap();
        assert!(!verdict.passes() && verdict.violations.is_empty(), "{length}: {verdict}");
    }
}

#[test]
fn several_recorders_write_one_history() {
    let writer = Writer::to(io::sink(), "").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let mut recorder = writer.recorder();
            scope.spawn(move || {
                for _ in 0..20_000 {
                    let connection = recorder.open(0);
                    recorder.left(connection);
                }
            });
        }
    });
    // A block that follows another one begins with the time.
    let records = writer.finish().unwrap();
    assert!((160_000..160_100).contains(&records), "{records}");
}
