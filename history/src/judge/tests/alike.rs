//! Requests with equal replies, whose order or owner a history does not show.

use super::*;

#[test]
fn equal_messages_are_counted() {
    let (hello, world) = (Digest::of(b"hello"), Digest::of(b"world"));
    let verdict = |events: &[(u32, Event)]| {
        let begin = [0, 1].map(|connection| at(connection, Event::Opened(connection.into())));
        let records =
            begin.into_iter().chain(events.iter().map(|&(connection, event)| at(connection, event)));
        let verdict = Run { records: records.collect(), random: fastrand::Rng::with_seed(0) }.verdict();
        assert!(verdict.passes() && verdict.answered == 3, "{verdict}");
        let exact = verdict.to_string().contains("each by its own reply, in order and unaltered");
        (verdict.alike_in_flight, verdict.alike_elsewhere, exact)
    };
    let (asked, said) = (Event::Request, Event::Reply);
    let one_by_one = [hello, hello, world].map(|text| [(0, asked(text)), (0, said(text))]).concat();
    assert_eq!(verdict(&one_by_one), (0, 0, true), "each was answered before the next one was sent");
    let at_once = [asked(hello), asked(world), asked(hello), said(hello), said(world), said(hello)];
    assert_eq!(verdict(&at_once.map(|event| (0, event))), (1, 0, false));
    let elsewhere = [(0, asked(hello)), (1, asked(hello)), (1, said(hello)), (0, said(hello))];
    let again = [(1, asked(hello)), (1, said(hello))];
    assert_eq!(verdict(&[&elsewhere[..], &again].concat()), (0, 2, false));
}
