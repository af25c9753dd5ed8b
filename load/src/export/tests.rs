use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

use super::*;
use crate::histogram::histogram;
use crate::measurement::{Failures, HostileClients, Pushes, Verification};

fn distribution(values: &[u64]) -> Distribution {
    let mut histogram = histogram();
    values.iter().for_each(|&value| histogram.saturating_record(value * 1000));
    Distribution::of(&histogram)
}

/// A measurement with these latencies in microseconds.
fn measurement(latencies: &[u64]) -> Measurement {
    Measurement {
        latency: distribution(latencies),
        service: distribution(latencies),
        send_lag: distribution(&[1]),
        ..crate::testing::measurement()
    }
}

#[test]
fn json_is_read_back_without_loss() {
    let measurement = measurement(&[1, 10, 100, 1000, 1_000_000].repeat(5));
    let json = serde_json::to_value(&measurement).unwrap();
    assert_eq!(json["achieved_rate"], 1000.0);
    assert_eq!(json["verification"]["lost"], 0);
    assert!((json["latency"]["percentiles"]["p50"].as_f64().unwrap() / 100.0 - 1.0).abs() < 0.001);
    assert_eq!(serde_json::from_value::<Measurement>(json).unwrap(), measurement);
}

/// A measurement with pushes of these delays in microseconds.
fn pushes(delays: &[u64]) -> Measurement {
    let delay = distribution(delays);
    let count = delay.count;
    let pushes =
        Pushes { subscribers: 3, delivered: count, missed: 7, rate: 20.0, delay, ..Pushes::default() };
    let server = measurement(&[]).server.map(|usage| crate::measurement::Usage { deliveries: 4000, ..usage });
    Measurement { pushes: Some(pushes), server, ..measurement(&[1, 2]) }
}

#[test]
fn pushes_are_exported() {
    let good = pushes(&[70; 1500]);
    let text = table(&good);
    let row = text.lines().find(|line| line.starts_with("push delay ")).expect("there is one");
    assert_eq!(row.split_whitespace().filter(|&word| word.starts_with("70.")).count(), 5, "{text}");
    assert!(text.contains("server   2.50 µs of CPU time per push"), "{text}");
    let told = "pushes   1500 delivered to 3 subscribers, 20 /s; 7 missed, and none was wrong\n";
    assert!(text.contains(told), "{text}");
    let json = serde_json::to_value(&good).unwrap();
    assert_eq!((&json["pushes"]["delivered"], &json["pushes"]["missed"]), (&1500.into(), &7.into()));
    assert_eq!(serde_json::from_value::<Measurement>(json).unwrap(), good);
    let csv = csv(std::slice::from_ref(&good));
    let (names, values) = csv.split_once('\n').unwrap();
    assert!(names.contains(",subscribers,delivered,missed,wrong_pushes,"), "{names}");
    assert!(values.contains(",3,1500,7,0,0,0,20,70.0"), "{values}");
    assert_eq!(read(&hlog(&good).unwrap())[2], ("delay".to_owned(), distribution(&[70; 1500])));
    let none = measurement(&[1]);
    assert!(!table(&none).contains("push") && serde_json::to_value(&none).unwrap().get("pushes").is_none());
    let mut bad = good;
    bad.pushes = bad.pushes.map(|pushes| Pushes {
        wrong: 4,
        doubled: 5,
        reordered: 6,
        examples: vec!["doubled: subscriber 1".to_owned()],
        ..pushes
    });
    let text = table(&bad);
    let told = "pushes   VERIFICATION FAILED: 4 wrong, 5 doubled, 6 reordered\npushes   1500 delivered to 3 \
                subscribers, 20 /s; 7 missed\n         doubled: subscriber 1\n";
    assert!(text.contains(told), "{text}");
}

#[test]
fn csv_has_as_many_values_as_names() {
    let text = csv(&[measurement(&[1, 2]), measurement(&[]), pushes(&[9])]);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 4);
    let load = "\"64 connections, depth 16\"";
    for line in &lines[1..] {
        let values = line.strip_prefix(load).unwrap();
        assert_eq!(values.split(',').count(), lines[0].split(',').count());
    }
}

#[test]
fn csv_has_the_handshakes_of_tls() {
    let tls = Handshakes {
        version: "TLSv1.3".to_owned(),
        cipher_suite: "TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384".to_owned(),
        full: 3,
        resumed: 61,
    };
    let text = csv(&[Measurement { tls: Some(tls), ..measurement(&[1]) }, measurement(&[1])]);
    let lines: Vec<_> = text.lines().collect();
    assert!(
        lines[0].contains(",tls_version,tls_cipher_suite,full_handshakes,resumed_handshakes,idle_"),
        "{text}"
    );
    let expected = ",\"TLSv1.3\",\"TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384\",3,61,";
    assert!(lines[1].contains(expected) && lines[2].ends_with(",,,,,,,,,,,,,"), "{text}");
}

#[test]
fn hostile_clients_are_exported() {
    let counts = |clients, connections, ended| HostileCounts { clients, connections, ended };
    let clients = HostileClients {
        idle: counts(1, 1, 0),
        slow_readers: counts(50, 83, 33),
        slow_writers: counts(2, 0, 0),
    };
    let hostile = Measurement { hostile: Some(clients), ..measurement(&[1]) };
    let text = table(&hostile);
    let told = "hostile  1 idle client, 1 connection, 0 ended by the server\n\
                hostile  50 slow readers, 83 connections, 33 ended by the server\n\
                hostile  2 slow writers, no connection was ever made\n";
    assert!(text.ends_with(told), "{text}");
    let of_one_kind = HostileClients { slow_readers: counts(1, 1, 1), ..HostileClients::default() };
    let text = table(&Measurement { hostile: Some(of_one_kind), ..measurement(&[1]) });
    assert_eq!(text.matches("hostile").count(), 1, "{text}");
    let json = serde_json::to_value(&hostile).unwrap();
    assert_eq!(json["hostile"]["slow_readers"]["connections"], 83);
    assert_eq!(serde_json::from_value::<Measurement>(json).unwrap(), hostile);
    let csv = csv(&[hostile, measurement(&[1])]);
    let lines: Vec<_> = csv.lines().collect();
    assert!(lines[0].ends_with(",slow_writer_clients,slow_writer_connections,slow_writer_connections_ended"));
    assert!(lines[1].ends_with(",1,1,0,50,83,33,2,0,0") && lines[2].ends_with(",,,,,,,,,"), "{csv}");
    let none = measurement(&[1]);
    assert!(
        !table(&none).contains("hostile") && serde_json::to_value(&none).unwrap().get("hostile").is_none()
    );
}

#[test]
fn percentiles_with_few_values_beyond_are_left_empty() {
    let text = csv(&[measurement(&[7].repeat(200))]);
    let (names, values) = text.split_once('\n').unwrap();
    let load = "\"64 connections, depth 16\"";
    let values: Vec<_> = values.trim_end().strip_prefix(load).unwrap().split(',').collect();
    let value_of = |name| values[names.split(',').position(|other| other == name).unwrap()];
    assert!(value_of("latency_p95").starts_with("7.0"), "{text}");
    assert_eq!((value_of("latency_p99"), value_of("latency_p99.99")), ("", ""));
    let table = table(&measurement(&[7].repeat(200)));
    let row: Vec<_> =
        table.lines().find(|line| line.starts_with("from schedule")).unwrap().split(' ').collect();
    assert_eq!(row.iter().filter(|&&word| word == "-").count(), 3, "{table}");
}

#[test]
fn a_closed_loop_has_one_row_with_a_warning() {
    let text = table(&Measurement { offered_rate: None, ..measurement(&[113].repeat(20)) });
    assert!(text.contains("closed loop: stalls are under-counted; use --rate"), "{text}");
    assert!(!text.contains("from schedule") && !text.contains("send lag"), "{text}");
    assert!(!table(&measurement(&[113])).contains("closed loop"));
}

#[test]
fn there_are_no_server_figures_if_the_generator_was_the_bottleneck() {
    let text = table(&Measurement { generator_limited: true, ..measurement(&[113].repeat(20)) });
    assert!(text.contains("not measured: the generator was the bottleneck"), "{text}");
    assert!(!text.contains("from schedule") && !text.contains("OVERLOADED"), "{text}");
}

#[test]
fn hgrm_ends_with_all_values() {
    let text = hgrm(&distribution(&[1, 2, 3, 4]));
    let rows: Vec<Vec<&str>> = text.lines().skip(2).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["1.000", "0.250000000000", "1", "1.33"]);
    assert_eq!(rows[3], ["4.001", "1.000000000000", "4"]);
    assert!(text.contains("Total count    =            4"));
}

#[test]
fn a_table_has_no_percentiles_of_an_overloaded_server() {
    let good = table(&measurement(&[113, 391]));
    assert!(good.contains("from schedule") && good.contains("what users feel"));
    assert!(
        good.contains("server   10.00 µs of CPU time per message (own code 2.00, kernel 8.00), 0.50 context")
    );
    assert!(good.contains("replies  1200 verified"));
    let bad = table(&Measurement { achieved_rate: 970.0, ..measurement(&[113]) });
    assert!(bad.contains("OVERLOADED") && !bad.contains("from schedule"));
    assert!(!table(&Measurement { achieved_rate: 980.0, ..measurement(&[113]) }).contains("OVERLOADED"));
}

#[test]
fn a_table_shows_all_problems() {
    let mut measurement = measurement(&[1]);
    measurement.verification.lost = 3;
    measurement.failures.ended = 1;
    let text = table(&measurement);
    assert!(text.contains("VERIFICATION FAILED: of 1200, 3 lost"));
    assert!(text.contains("failed   1 connection ended early\n"));
}

#[test]
fn a_table_never_reports_success_after_a_failure() {
    let well = |text: &str| text.contains("all as they should be");
    assert!(well(&table(&measurement(&[1]))));
    let failures = [
        Failures { connect: 1, ..Failures::default() },
        Failures { ended: 1, unanswered: 512, ..Failures::default() },
        Failures { unserved: 2, unanswered: 2, ..Failures::default() },
    ];
    for failures in failures {
        let unanswered = failures.unanswered;
        let text = table(&Measurement { failures, ..measurement(&[1]) });
        assert!(!well(&text) && text.contains(&format!("{unanswered} messages unanswered\n")), "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("failed ")).count(), 1, "{text}");
    }
    let none = Verification::default();
    assert!(!well(&table(&Measurement { verification: none, ..measurement(&[]) })));
}

#[test]
fn one_of_something_is_singular() {
    let failures = Failures { connect: 1, ended: 1, unserved: 1, unanswered: 1, ..Failures::default() };
    let text = table(&Measurement { failures, reconnected: 1, resent: 1, ..measurement(&[1]) });
    for told in [
        "; 1 message unanswered\n",
        "server   1 connection was re-established after it had ended it, and 1 message sent again\n",
        "failed   1 connection could not be made\n",
        "failed   1 connection was made and never served; it may have waited in the server's backlog\n",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
}

#[test]
fn a_greeting_in_place_of_the_first_reply_has_a_hint() {
    let hint = |wrong, doubled| {
        let verification = Verification { wrong, doubled, ..Verification::default() };
        table(&Measurement { verification, ..measurement(&[1]) }).contains("--expect says what it should say")
    };
    assert_eq!([hint(4, 4), hint(4, 0), hint(0, 4)], [true, false, false]);
}

/// The histograms of a log by their names.
fn read(log: &[u8]) -> Vec<(String, Distribution)> {
    let entries = IntervalLogIterator::new(log).map(|entry| entry.unwrap());
    let intervals = entries.filter_map(|entry| match entry {
        LogEntry::Interval(interval) => Some(interval),
        _ => None,
    });
    intervals
        .map(|interval| {
            let encoded = decode(interval.encoded_histogram());
            let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut &encoded[..]).unwrap();
            (interval.tag().unwrap().as_str().to_owned(), Distribution::of(&histogram))
        })
        .collect()
}

/// Base 64.
fn decode(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter_map(|byte| DIGITS.iter().position(|&digit| digit == byte));
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for digit in digits {
        (bits, count) = (bits << 6 | digit as u32, count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    bytes
}

#[test]
fn a_log_is_read_back_without_loss() {
    let latency = Distribution::of(&crate::testing::times(&[(113.0, 7), (60_000.0, 1)]).histogram());
    let service = Distribution::of(&crate::testing::times(&[(90.0, 8)]).histogram());
    let open = Measurement { latency: latency.clone(), service: service.clone(), ..measurement(&[]) };
    let expected = [("latency".to_owned(), latency), ("service".to_owned(), service)];
    assert_eq!(read(&hlog(&open).unwrap()), expected);
    let closed = Measurement { offered_rate: None, ..open };
    assert_eq!(read(&hlog(&closed).unwrap()), expected[..1]);
}
