use super::*;
use load::plan::Sizes;

fn named(names: &[&str]) -> Settings {
    let candidate = |name: &&str| Candidate { name: (*name).to_owned(), ..Candidate::default() };
    Settings::new(names.iter().map(candidate).collect())
}

#[test]
fn invalid_settings_are_refused() {
    assert_eq!(named(&["a", "b"]).check(), Ok(()));
    let error = |settings: Settings| settings.check().unwrap_err();
    assert!(error(named(&[])).contains("nothing to compare"));
    assert!(error(named(&["a", "b", "a"])).contains("two servers are named a"));
    assert!(error(named(&["a", "a (again)"])).contains("second run"));
    for rounds in [0, usize::MAX] {
        assert!(error(Settings { rounds: Some(rounds), ..named(&["a"]) }).contains("rounds"));
    }
    assert!(error(Settings { clients: 0, ..named(&["a"]) }).contains("connections"));
    assert!(error(Settings { connections: vec![0], ..named(&["a"]) }).contains("connections"));
    assert!(error(Settings { closed_loops: vec![(0, 1)], ..named(&["a"]) }).contains("connections"));
    assert!(error(Settings { closed_loops: vec![(1, 0)], ..named(&["a"]) }).contains("in flight"));
    assert!(error(Settings { depth: 0, ..named(&["a"]) }).contains("in flight"));
    assert!(error(Settings { messages: Messages::Made(Sizes::Fixed(1)), ..named(&["a"]) }).contains("1 B"));
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(error(Settings { rate: Some(rate), ..named(&["a"]) }).contains("rate"));
    }
    assert_eq!(Settings { rate: Some(0.5), ..named(&["a"]) }.check(), Ok(()));
}

#[test]
fn servers_must_hold_the_connections_that_are_measured() {
    assert_eq!(named(&["a"]).most_connections(), 2000);
    let many = Settings { connections: vec![5000], ..named(&["a"]) };
    assert_eq!(many.most_connections(), 2000, "only the tier full has that curve");
    assert_eq!(Settings { tier: Tier::Full, ..many }.most_connections(), 5000);
    assert_eq!(Settings { tier: Tier::Quick, ..named(&["a"]) }.most_connections(), 64);
    let hostile = Settings { tier: Tier::Full, clients: 3000, ..named(&["a"]) };
    assert_eq!(hostile.most_connections(), 6000);
    let loops = Settings { closed_loops: vec![(64, 1), (500, 1)], ..named(&["a"]) };
    assert_eq!(loops.most_connections(), 2000, "the memory of idle connections is measured too");
    assert_eq!(Settings { tier: Tier::Quick, ..loops }.most_connections(), 500);
    let pushes = Settings { subscribers: vec![100, 1, 9000], ..named(&["a"]) };
    assert_eq!((pushes.most_connections(), pushes.least_connections()), (9064, 65));
    assert_eq!(named(&["a"]).least_connections(), 64);
}

#[test]
fn pushes_must_be_verifiable() {
    let pushes = Settings { subscribers: vec![1, 100], expect: Expect::Ok, ..named(&["a"]) };
    assert_eq!(pushes.check(), Ok(()));
    for (settings, expected) in [
        (Settings { subscribers: vec![1, 5, 1], ..pushes.clone() }, "1 subscribers are given twice"),
        (Settings { subscribers: vec![0], ..pushes.clone() }, "subscribers must be above zero"),
        (Settings { expect: Expect::Echo, ..pushes.clone() }, "say --expect ok"),
        (Settings { messages: Messages::Made(Sizes::Fixed(9)), ..pushes.clone() }, "too short for"),
        (Settings { framing: Framing::Resp, ..pushes.clone() }, "use it with `line`"),
        (Settings { subscribe_message: b"a\nb".to_vec(), ..pushes }, "--subscribe-message"),
    ] {
        let error = settings.check().unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_messages_are_described() {
    assert_eq!(named(&["a"]).message(), "32 B");
    assert_eq!(Settings { message: "GET /".into(), ..named(&["a"]) }.message(), "GET /");
}
