//! The wording of reports, from hand-made assessments.

use super::contents::{Cell as Shown, Row};
use super::matrix::matrix;
use super::sentences::sentences;
use super::validity;
use crate::statistics::{Assessment, Cell, Column, Estimate, Figure, Interval, Noise, Verdict, Why};
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

/// A column in which `threads` is the reference, with these verdicts on `smol` and `tokio`.
fn column(figure: Figure, verdict: [Verdict; 2], leader: Option<usize>, tied: &[usize]) -> Column {
    let cell = |subject: usize, verdict: Verdict| {
        let level = Some(estimate(10.0 - 2.0 * subject as f64));
        let ratio = (subject > 0).then(|| estimate(1.0 - 0.2 * subject as f64));
        Cell { subject, level, ratio, p: None, verdict, flagged: 0, isolation_ratio: None }
    };
    Column {
        figure,
        shape: Some(0),
        absent: None,
        noise: Noise::default(),
        band: 0.03,
        cells: vec![cell(0, Verdict::Reference), cell(1, verdict[0]), cell(2, verdict[1])],
        leader,
        tied: tied.to_vec(),
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

/// The verdict as the reader sees it.
fn verdict_text(columns: Vec<Column>) -> String {
    sentences(&comparison(), &assessment(columns)).join(" ").replace("**", "").replace('\u{a0}', " ")
}

/// The cell of `tokio` with this verdict.
fn cell_of(verdict: Verdict) -> (Shown, Vec<String>) {
    let columns = vec![column(Figure::CpuAtRate, [Verdict::Better, verdict], None, &[])];
    let table = matrix(&comparison(), &assessment(columns));
    let Some(Row::Figures { cells, .. }) = table.rows.get(2) else { panic!("{table:?}") };
    (cells[0].clone(), table.notes)
}

#[test]
fn a_cell_shows_the_verdict_or_why_there_is_none() {
    let words = |verdict| {
        let (cell, _) = cell_of(verdict);
        format!("{}|{}|{}", cell.figure, cell.word, cell.evidence).replace('\u{a0}', " ")
    };
    assert_eq!(words(Verdict::Better), "6 µs|better|0.60×");
    assert_eq!(words(Verdict::Worse), "6 µs|worse|0.60×");
    assert_eq!(words(Verdict::Same { up_to: 0.04 }), "6 µs|same|within 4 %");
    assert_eq!(words(Verdict::Undecided(Why::TooNoisy { more_rounds: 9 })), "6 µs|no verdict|(too noisy)");
    assert_eq!(words(Verdict::Undecided(Why::WithinNoise)), "6 µs|no verdict|(within the noise)");
    assert_eq!(words(Verdict::Undecided(Why::Flagged { of: 7 })), "6 µs|no verdict|(flagged)");
    assert_eq!(words(Verdict::Undecided(Why::FewRounds { needed: 9 })), "6 µs|no verdict|(too few rounds)");
}

#[test]
fn no_figure_is_shown_if_the_generator_was_the_bottleneck() {
    let (cell, notes) = cell_of(Verdict::Undecided(Why::GeneratorLimited));
    assert_eq!((cell.figure.as_str(), cell.word.as_str()), ("", "not measured"));
    assert_eq!(cell.evidence, "(generator was the bottleneck)");
    let note = "CPU per message of tokio could not be measured, because the load generator was the bottleneck, not the server.";
    assert!(notes.iter().any(|said| said == note), "{notes:?}");
}

#[test]
fn a_figure_from_one_pass_is_approximate() {
    let (cell, notes) = cell_of(Verdict::Undecided(Why::OnePass));
    assert_eq!(cell.figure, "about\u{a0}6\u{a0}µs");
    assert_eq!((cell.word.as_str(), cell.evidence.as_str()), ("no verdict", "(measured once)"));
    assert!(
        notes.iter().any(|said| said
            == "There is no verdict on CPU per message of tokio, because it was measured only once."),
        "{notes:?}"
    );
    let once = Verdict::Undecided(Why::OnePass);
    let said = verdict_text(vec![
        column(Figure::CpuAtRate, [Verdict::Better; 2], Some(2), &[]),
        column(Figure::Memory, [once; 2], Some(2), &[]),
    ]);
    assert!(
        said.contains("emory per idle connection, which was measured only once, was between about 6 B (tokio) and 10 B (threads)"),
        "{said}"
    );
    assert!(!said.contains("least memory"), "{said}");
}

#[test]
fn the_note_says_how_many_more_rounds_are_needed() {
    let (_, notes) = cell_of(Verdict::Undecided(Why::TooNoisy { more_rounds: 9 }));
    assert!(
        notes.contains(&"There is no verdict on CPU per message of tokio, because it varies too much from round to round; about 9 more rounds would be needed.".to_owned()),
        "{notes:?}"
    );
}

#[test]
fn the_verdict_names_the_best_the_tied_and_the_undecided() {
    let of = |verdict: [Verdict; 2], leader, tied: &[usize]| {
        verdict_text(vec![column(Figure::CpuAtRate, verdict, leader, tied)])
    };
    let alone = of([Verdict::Better; 2], Some(2), &[]);
    let expected = "Serving echo to 64 connections at 15k/s, tokio has the lowest server CPU per message: 6 µs, \
                    0.60× that of threads (95 % interval 0.57–0.63).";
    assert!(alone.starts_with(expected), "{alone}");
    let together = of([Verdict::Better; 2], Some(2), &[1]);
    assert!(together.contains("smol and tokio") || together.contains("tokio and smol"), "{together}");
    assert!(together.contains("can't be told apart; tokio has the best median: 6 µs"), "{together}");
    let same = Verdict::Same { up_to: 0.04 };
    let equal = of([same; 2], Some(2), &[0, 1]);
    assert!(
        equal.contains("in CPU per message no backend can be told apart from the best; tokio has the best median, 6 µs, and none differs from threads by more than 4 %."),
        "{equal}"
    );
    // Without a verdict on one of them no bound on the differences is known.
    let partly = of([same, Verdict::Undecided(Why::WithinNoise)], Some(2), &[0, 1]);
    assert!(
        partly.contains("no backend can be told apart from the best; tokio has the best median, 6 µs."),
        "{partly}"
    );
    let open = of([Verdict::Undecided(Why::TooNoisy { more_rounds: 9 }); 2], Some(2), &[0, 1]);
    assert!(open.contains("there is no verdict on CPU per message, because it varies too much from round to round; about 9 more rounds would be needed"), "{open}");
    assert!(open.contains("but that may be chance"), "{open}");
    let first = of([Verdict::Worse; 2], Some(0), &[]);
    assert!(
        first.contains("threads has the lowest server CPU per message: 10 µs; smol, the nearest"),
        "{first}"
    );
}

#[test]
fn an_unmeasured_server_is_not_the_reason_of_a_column() {
    let few = Verdict::Undecided(Why::FewRounds { needed: 8 });
    for verdict in [[Verdict::Undecided(Why::NotMeasured), few], [few, Verdict::Undecided(Why::Failed)]] {
        let said = verdict_text(vec![column(Figure::CpuAtRate, verdict, None, &[])]);
        assert!(
            said.contains("because fewer rounds have a figure than the 8 that a verdict takes"),
            "{said}"
        );
    }
}

#[test]
fn an_aa_test_that_excludes_one_is_reported() {
    let mut of_it = column(Figure::CpuAtRate, [Verdict::Better; 2], Some(2), &[]);
    of_it.noise = Noise {
        band: 0.12,
        excludes_one: true,
        estimate: Some(estimate(1.08)),
        spread: Some(0.05),
        ratios: vec![1.08; 13],
    };
    of_it.band = 0.12;
    let said = verdict_text(vec![of_it.clone()]);
    assert!(said.contains("wo runs of threads, which should be the same, differ by more than chance in CPU per message, so only differences above 12 % count there"), "{said}");
    let rows = validity::noise_rows(&comparison(), &assessment(vec![of_it]));
    let row = rows[0].join("|").replace('\u{a0}', " ");
    assert_eq!(row, "CPU per message, 64 connections, 15k/s|5.1 %|1.08× (1.03–1.13)|no: they differ|± 12 %");
}

#[test]
fn the_noise_is_reported_as_spread_and_band() {
    let mut of_it = column(Figure::CpuAtRate, [Verdict::Better; 2], Some(2), &[]);
    of_it.noise = Noise {
        band: 0.03,
        spread: Some(0.08),
        estimate: Some(estimate(1.0)),
        ratios: vec![1.0; 13],
        ..Noise::default()
    };
    let said = verdict_text(vec![of_it]);
    assert!(
        said.contains("Two runs of threads in the same round typically differ by 8.3 % in CPU per message"),
        "{said}"
    );
    assert!(said.contains("over 13 rounds this noise averages out to at most 3 %"), "{said}");
}

#[test]
fn the_verdict_mentions_flags() {
    let flagged = Verdict::Undecided(Why::Flagged { of: 7 });
    let said = verdict_text(vec![column(Figure::TailLatency, [flagged; 2], None, &[])]);
    assert!(
        said.contains(
            "there is no verdict on p99 latency, because more than a third of the rounds are flagged as doubtful"
        ),
        "{said}"
    );
    assert!(!said.contains("has the lowest"), "{said}");
    let some = verdict_text(vec![
        column(Figure::CpuAtRate, [Verdict::Better; 2], Some(2), &[]),
        column(Figure::TailLatency, [flagged; 2], None, &[]),
    ]);
    assert!(
        some.contains("Too many measurements are flagged as doubtful for any verdict on p99 latency"),
        "{some}"
    );
}

#[test]
fn other_builds_are_compared_with_the_same_backend_of_this_one() {
    let mut comparison = comparison();
    comparison.subjects.push(Subject {
        name: "smol (other)".to_owned(),
        kind: crate::Kind::Build { of: "smol".to_owned() },
        ..Subject::default()
    });
    let table =
        matrix(&comparison, &assessment(vec![column(Figure::CpuAtRate, [Verdict::Better; 2], Some(2), &[])]));
    assert!(
        matches!(&table.rows[3], Row::Group(title) if title.contains("compared with the same backend of this build"))
    );
    assert!(
        matches!(&table.rows[4], Row::Figures { name, .. } if name == "smol (other)"),
        "{:?}",
        table.rows
    );
}

#[test]
fn if_many_are_best_the_verdict_says_how_far_the_reference_is_behind() {
    let mut comparison = comparison();
    comparison
        .subjects
        .extend(["a", "b", "c"].map(|name| Subject { name: name.to_owned(), ..Subject::default() }));
    let mut saturated = column(Figure::CpuAtSaturation, [Verdict::Better; 2], Some(2), &[1, 3, 4, 5]);
    let last = saturated.cells[2].clone();
    saturated.cells.extend((3..6).map(|subject| Cell { subject, ..last.clone() }));
    let columns = vec![column(Figure::CpuAtRate, [Verdict::Better; 2], Some(2), &[]), saturated];
    let said = sentences(&comparison, &assessment(columns)).join(" ").replace("**", "");
    let expected = "n CPU at saturation 4 servers can't be told apart from tokio, the best, and threads has 1.67× its figure";
    assert!(said.contains(expected), "{said}");
}
