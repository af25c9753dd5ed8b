//! What is said of an assessment, whatever rounds it may come from.

use super::contents::{Cell as Shown, Row};
use super::matrix::matrix;
use super::sentences::sentences;
use super::trust;
use crate::statistics::{Assessment, Cell, Column, Estimate, Figure, Interval, Noise, Told, Why};
use crate::{Comparison, Conditions, Shape, Subject};

fn estimate(median: f64) -> Estimate {
    let interval = Some(Interval { low: median * 0.95, high: median * 1.05 });
    Estimate { median, interval, confidence: 0.95, rounds: 13, spread: 0.06 }
}

fn comparison() -> Comparison {
    let subject = |name: &str| Subject { name: name.to_owned(), ..Subject::default() };
    Comparison {
        subjects: vec![subject("threads"), subject("smol"), subject("tokio")],
        shapes: vec![Shape { connections: 64, depth: 1, rate: Some(15_000.0), ..Shape::default() }],
        conditions: Conditions { handler: "echo".to_owned(), rounds: 13, ..Conditions::default() },
        ..Comparison::default()
    }
}

/// A column in which `threads` is the reference, and this is told of `smol` and `tokio`.
fn column(figure: Figure, told: [Told; 2], leader: Option<usize>, equals: &[usize]) -> Column {
    let cell = |subject: usize, told: Told| {
        let level = Some(estimate(10.0 - 2.0 * subject as f64));
        let ratio = (subject > 0).then(|| estimate(1.0 - 0.2 * subject as f64));
        Cell { subject, level, ratio, p: None, told, flagged: 0, over_alone: None }
    };
    Column {
        figure,
        shape: Some(0),
        absent: None,
        noise: Noise::default(),
        band: 0.03,
        cells: vec![cell(0, Told::Reference), cell(1, told[0]), cell(2, told[1])],
        leader,
        equals: equals.to_vec(),
    }
}

fn assessment(columns: Vec<Column>) -> Assessment {
    Assessment {
        reference: Some(0),
        control: Some(0),
        ranked: vec![0, 1, 2],
        failed: Vec::new(),
        unavailable: Vec::new(),
        rounds: 13,
        screening: false,
        columns,
        details: Vec::new(),
    }
}

/// The verdict as a reader sees it.
fn verdict(columns: Vec<Column>) -> String {
    sentences(&comparison(), &assessment(columns)).join(" ").replace("**", "").replace('\u{a0}', " ")
}

/// The cell of `tokio`, if this is told of it.
fn cell_of(told: Told) -> (Shown, Vec<String>) {
    let columns = vec![column(Figure::CpuAtRate, [Told::Better, told], None, &[])];
    let table = matrix(&comparison(), &assessment(columns));
    let Some(Row::Figures { cells, .. }) = table.rows.get(2) else { panic!("{table:?}") };
    (cells[0].clone(), table.notes)
}

#[test]
fn a_cell_says_what_is_told_and_why_not() {
    let words = |told| {
        let (cell, _) = cell_of(told);
        format!("{}|{}|{}", cell.figure, cell.word, cell.evidence).replace('\u{a0}', " ")
    };
    assert_eq!(words(Told::Better), "6 µs|better|0.60×");
    assert_eq!(words(Told::Worse), "6 µs|worse|0.60×");
    assert_eq!(words(Told::Same { up_to: 0.04 }), "6 µs|same|within 4 %");
    assert_eq!(words(Told::NotTold(Why::TooNoisy { more_rounds: 9 })), "6 µs|not told|(too noisy)");
    assert_eq!(words(Told::NotTold(Why::WithinNoise)), "6 µs|not told|(within the noise)");
    assert_eq!(words(Told::NotTold(Why::Flagged { of: 7 })), "6 µs|not told|(flagged)");
    assert_eq!(words(Told::NotTold(Why::FewRounds { needed: 9 })), "6 µs|not told|(too few rounds)");
}

#[test]
fn what_says_nothing_about_the_server_is_not_shown_as_a_figure() {
    let (cell, notes) = cell_of(Told::NotTold(Why::GeneratorLimited));
    assert_eq!((cell.figure.as_str(), cell.word.as_str()), ("", "not measured"));
    assert_eq!(cell.evidence, "(generator was the limit)");
    let note = "CPU per message of tokio could not be measured, because the load generator was the limit, and not the server.";
    assert!(notes.iter().any(|said| said == note), "{notes:?}");
}

#[test]
fn a_figure_from_one_pass_is_no_fact() {
    let (cell, notes) = cell_of(Told::NotTold(Why::OnePass));
    assert_eq!(cell.figure, "about\u{a0}6\u{a0}µs");
    assert_eq!((cell.word.as_str(), cell.evidence.as_str()), ("not told", "(measured once)"));
    assert!(
        notes.iter().any(|said| said
            == "There is no verdict on CPU per message of tokio, because it was measured only once."),
        "{notes:?}"
    );
    let once = Told::NotTold(Why::OnePass);
    let said = verdict(vec![
        column(Figure::CpuAtRate, [Told::Better; 2], Some(2), &[]),
        column(Figure::Memory, [once; 2], Some(2), &[]),
    ]);
    assert!(
        said.contains("emory per idle connection, which was measured only once, was between about 6 B (tokio) and 10 B (threads)"),
        "{said}"
    );
    assert!(!said.contains("least memory"), "{said}");
}

#[test]
fn the_note_says_how_many_rounds_would_tell() {
    let (_, notes) = cell_of(Told::NotTold(Why::TooNoisy { more_rounds: 9 }));
    assert!(
        notes.contains(&"There is no verdict on CPU per message of tokio, because it varies too much from round to round; about 9 more rounds would be needed.".to_owned()),
        "{notes:?}"
    );
}

#[test]
fn the_verdict_tells_the_best_the_equals_and_what_is_open() {
    let of = |told: [Told; 2], leader, equals: &[usize]| {
        verdict(vec![column(Figure::CpuAtRate, told, leader, equals)])
    };
    let alone = of([Told::Better; 2], Some(2), &[]);
    let expected = "Serving echo to 64 connections at 15k/s, tokio has the lowest server CPU per message: 6 µs, \
                    0.60× that of threads (95 % interval 0.57–0.63).";
    assert!(alone.starts_with(expected), "{alone}");
    let together = of([Told::Better; 2], Some(2), &[1]);
    assert!(together.contains("smol and tokio") || together.contains("tokio and smol"), "{together}");
    assert!(together.contains("can't be told apart; tokio has the best median: 6 µs"), "{together}");
    let same = Told::Same { up_to: 0.04 };
    let equal = of([same; 2], Some(2), &[0, 1]);
    assert!(
        equal.contains("in CPU per message no backend can be told apart from the best; tokio has the best median, 6 µs, and none differs from threads by more than 4 %."),
        "{equal}"
    );
    // Of whom there is no verdict, nobody knows by how much it differs.
    let partly = of([same, Told::NotTold(Why::WithinNoise)], Some(2), &[0, 1]);
    assert!(
        partly.contains("no backend can be told apart from the best; tokio has the best median, 6 µs."),
        "{partly}"
    );
    let open = of([Told::NotTold(Why::TooNoisy { more_rounds: 9 }); 2], Some(2), &[0, 1]);
    assert!(open.contains("there is no verdict on CPU per message, because it varies too much from round to round; about 9 more rounds would be needed"), "{open}");
    assert!(open.contains("but that may be chance"), "{open}");
    let first = of([Told::Worse; 2], Some(0), &[]);
    assert!(
        first.contains("threads has the lowest server CPU per message: 10 µs; smol, the nearest"),
        "{first}"
    );
}

#[test]
fn that_one_was_not_measured_is_no_reason_for_the_others() {
    let few = Told::NotTold(Why::FewRounds { needed: 8 });
    for told in [[Told::NotTold(Why::NotMeasured), few], [few, Told::NotTold(Why::Failed)]] {
        let said = verdict(vec![column(Figure::CpuAtRate, told, None, &[])]);
        assert!(
            said.contains("because it has figures from fewer than the 8 rounds that a verdict takes"),
            "{said}"
        );
    }
}

#[test]
fn an_a_a_that_excludes_one_is_said() {
    let mut of_it = column(Figure::CpuAtRate, [Told::Better; 2], Some(2), &[]);
    of_it.noise = Noise {
        band: 0.12,
        excludes_one: true,
        estimate: Some(estimate(1.08)),
        spread: Some(0.05),
        ratios: vec![1.08; 13],
    };
    of_it.band = 0.12;
    let said = verdict(vec![of_it.clone()]);
    assert!(said.contains("wo runs of threads, which should be the same, differ by more than chance in CPU per message, so only differences above 12 % count there"), "{said}");
    let rows = trust::noise_rows(&comparison(), &assessment(vec![of_it]));
    let row = rows[0].join("|").replace('\u{a0}', " ");
    assert_eq!(row, "CPU per message, 64 connections, 15k/s|5.1 %|1.08× (1.03–1.13)|no: they differ|± 12 %");
}

#[test]
fn the_noise_is_the_spread_beside_what_makes_the_band() {
    let mut of_it = column(Figure::CpuAtRate, [Told::Better; 2], Some(2), &[]);
    of_it.noise = Noise {
        band: 0.03,
        spread: Some(0.08),
        estimate: Some(estimate(1.0)),
        ratios: vec![1.0; 13],
        ..Noise::default()
    };
    let said = verdict(vec![of_it]);
    assert!(
        said.contains("Two runs of threads in the same round typically differ by 8.3 % in CPU per message"),
        "{said}"
    );
    assert!(said.contains("over 13 rounds this noise averages out to at most 3 %"), "{said}");
}

#[test]
fn flags_reach_the_verdict() {
    let flagged = Told::NotTold(Why::Flagged { of: 7 });
    let said = verdict(vec![column(Figure::TailLatency, [flagged; 2], None, &[])]);
    assert!(
        said.contains(
            "there is no verdict on p99 latency, because more than a third of the rounds are flagged as doubtful"
        ),
        "{said}"
    );
    assert!(!said.contains("has the lowest"), "{said}");
    let some = verdict(vec![
        column(Figure::CpuAtRate, [Told::Better; 2], Some(2), &[]),
        column(Figure::TailLatency, [flagged; 2], None, &[]),
    ]);
    assert!(
        some.contains("Too many measurements are flagged as doubtful for any verdict on p99 latency"),
        "{some}"
    );
}

#[test]
fn other_builds_are_held_against_the_same_backend_of_this_one() {
    let mut comparison = comparison();
    comparison.subjects.push(Subject {
        name: "smol (other)".to_owned(),
        kind: crate::Kind::Build { of: "smol".to_owned() },
        ..Subject::default()
    });
    let table =
        matrix(&comparison, &assessment(vec![column(Figure::CpuAtRate, [Told::Better; 2], Some(2), &[])]));
    assert!(
        matches!(&table.rows[3], Row::Group(title) if title.contains("against the same backend of this build"))
    );
    assert!(
        matches!(&table.rows[4], Row::Figures { name, .. } if name == "smol (other)"),
        "{:?}",
        table.rows
    );
}

#[test]
fn where_many_are_best_it_is_said_how_far_the_reference_is_behind() {
    let mut comparison = comparison();
    comparison
        .subjects
        .extend(["a", "b", "c"].map(|name| Subject { name: name.to_owned(), ..Subject::default() }));
    let mut saturated = column(Figure::CpuAtSaturation, [Told::Better; 2], Some(2), &[1, 3, 4, 5]);
    let last = saturated.cells[2].clone();
    saturated.cells.extend((3..6).map(|subject| Cell { subject, ..last.clone() }));
    let columns = vec![column(Figure::CpuAtRate, [Told::Better; 2], Some(2), &[]), saturated];
    let said = sentences(&comparison, &assessment(columns)).join(" ").replace("**", "");
    let expected = "n CPU at saturation 4 servers can't be told apart from tokio, the best, and threads has 1.67× its figure";
    assert!(said.contains(expected), "{said}");
}
