//! A measurement as a table for a terminal.

use std::fmt::Write;

use history::numbers::grouped;

use crate::checks::{GENERATOR_BUSY, LITTLE, SEND_LAG, STEAL};
use crate::histogram::{Distribution, PERCENTILES};
use crate::measurement::{Handshakes, HostileClients, Measurement, Pushes};
use crate::quantity::plural;

/// A measurement as a table for a terminal, at most 100 columns wide.
pub fn table(measurement: &Measurement) -> String {
    let mut text = String::new();
    let m = measurement;
    let end = match (m.interrupted, &m.stopped_early) {
        (true, _) => "  (interrupted)".to_owned(),
        (false, Some(why)) => format!("  (stopped early: {why})"),
        (false, None) => String::new(),
    };
    let _ = writeln!(text, "{}; {:.1} s measured{end}\n", m.load, m.seconds);
    let _ = match m.offered_rate {
        Some(offered) => writeln!(
            text,
            "offered {} /s   achieved {} /s   dropped {}   unfinished {}",
            thousands(offered),
            thousands(m.achieved_rate),
            m.dropped,
            m.unfinished
        ),
        None => writeln!(text, "achieved {} /s", thousands(m.achieved_rate)),
    };
    text.push('\n');
    latencies(m, &mut text);
    server(m, &mut text);
    if let Some(tls) = &m.tls {
        let Handshakes { version, cipher_suite, full, resumed } = tls;
        let _ = writeln!(
            text,
            "TLS      {version}, {cipher_suite}; {}, {resumed} resumed",
            plural(*full, "full handshake")
        );
    }
    checks(m, &mut text);
    verification(m, &mut text);
    failures(m, &mut text);
    if let Some(clients) = &m.hostile {
        hostile(clients, &mut text);
    }
    text
}

fn latencies(m: &Measurement, text: &mut String) {
    if m.is_empty() {
        let is_whole = !m.interrupted && m.stopped_early.is_none();
        let longer = if is_whole { "; measure for longer by --duration" } else { "" };
        let _ = writeln!(text, "NOTHING MEASURED: no reply came within the measured time{longer}\n");
        return;
    }
    if m.generator_limited {
        let busy = m.generator_busy * 100.0;
        let _ = writeln!(
            text,
            "not measured: the generator was the bottleneck. Its busiest thread used {busy:.0} % of a core, so rate and \
             latency\nsay nothing about the server; give it more --threads and cores, or offer less.\n"
        );
        return;
    }
    if m.is_overloaded() {
        let (offered, achieved) = (thousands(m.offered_rate.unwrap_or(0.0)), thousands(m.achieved_rate));
        let _ = writeln!(
            text,
            "OVERLOADED: of {offered} /s offered, {achieved} /s were achieved. Latencies would only say how long \
             it\nwas measured; offer less, or search with --find-max-rate.\n"
        );
        return;
    }
    let _ = write!(text, "{:<15}", "latency, µs");
    for &percentile in PERCENTILES {
        let _ = write!(text, "{:>9}", format!("p{percentile}"));
    }
    let _ = writeln!(text, "{:>9}", "max");
    if m.offered_rate.is_some() {
        row("from schedule", &m.latency, "what users feel", text);
        row("from sending", &m.service, "the service alone", text);
        row("send lag", &m.send_lag, "how late it was sent", text);
    } else {
        row("from sending", &m.latency, "", text);
        text.push_str("               closed loop: stalls are under-counted; use --rate\n");
    }
    if let Some(pushes) = &m.pushes {
        row("push delay", &pushes.delay, "from sending", text);
    }
    row("connecting", &m.connect, "", text);
    text.push('\n');
}

fn row(name: &str, distribution: &Distribution, remark: &str, text: &mut String) {
    if distribution.count == 0 {
        return;
    }
    let _ = write!(text, "{name:<15}");
    for &percentile in PERCENTILES {
        let _ = write!(text, "{:>9}", distribution.percentile(percentile).map_or("-".into(), time));
    }
    let _ =
        writeln!(text, "{:>9}{}{remark}", time(distribution.max), if remark.is_empty() { "" } else { "  " });
}

/// Microseconds, with a decimal if there are fewer than 10,000.
pub(super) fn time(microseconds: f64) -> String {
    if microseconds < 10_000.0 { format!("{microseconds:.1}") } else { format!("{microseconds:.0}") }
}

fn server(m: &Measurement, text: &mut String) {
    if let (Some((user, system)), Some(usage)) = (m.cpu_per_message(), m.server) {
        let switches = usage.context_switches as f64 / usage.messages.max(1) as f64;
        let cpu = user + system;
        let _ = writeln!(
            text,
            "server   {cpu:.2} µs of CPU time per message (own code {user:.2}, kernel {system:.2}), {switches:.2} \
             context switches"
        );
    }
    if let Some((user, system)) = m.cpu_per_delivery() {
        let _ = writeln!(text, "server   {:.2} µs of CPU time per push", user + system);
    }
    if m.server_ended {
        text.push_str("server   its process ended before the end of the run: what it used is not known\n");
    }
}

fn checks(m: &Measurement, text: &mut String) {
    let verdict = |good: bool| if good { "ok" } else { "DOUBTFUL" };
    let busy = format!(
        "generator busy {:.0} % {}",
        m.generator_busy * 100.0,
        verdict(m.generator_busy <= GENERATOR_BUSY)
    );
    let steal = format!("steal {:.1} % {}", m.steal * 100.0, verdict(m.steal <= STEAL));
    let little = match m.littles_error() {
        Some(error) => format!("Little's law off by {:.1} % {}", error * 100.0, verdict(error <= LITTLE)),
        None => {
            let lag = m.send_lag.value_at(99.0);
            let good = m.is_overloaded() || lag <= SEND_LAG * m.latency.value_at(99.0);
            format!("send lag p99 {lag:.0} µs {}", verdict(good))
        }
    };
    let _ = writeln!(text, "checks   {busy}   {little}   {steal}");
}

fn verification(m: &Measurement, text: &mut String) {
    let (v, f) = (&m.verification, &m.failures);
    if let Some(refusal) = v.refusal.as_deref().filter(|_| v.refused > 0) {
        let share = percent(m.refused_share());
        let _ = writeln!(text, "REFUSED  {share} % of the replies were refusals, such as `{refusal}`");
    }
    let answers = v.replies.saturating_sub(v.refused);
    let how = if v.verified { "verified" } else { "counted, not verified" };
    let _ = match (v.bad(), f.connections()) {
        (0, 0) if answers > 0 => {
            let right = if v.verified { ", all as they should be" } else { "" };
            let but = if v.refused > 0 { " beside the refusals" } else { right };
            writeln!(text, "replies  {answers} {how}{but}")
        }
        (0, _) => {
            let unanswered = plural(f.unanswered, "message");
            let good = if v.verified { ", none of them bad" } else { "" };
            writeln!(text, "replies  {answers} {how}{good}; {unanswered} unanswered")
        }
        _ => writeln!(
            text,
            "replies  VERIFICATION FAILED: of {}, {} lost, {} doubled, {} reordered, {} foreign, {} wrong, {} not \
             asked for",
            v.replies, v.lost, v.doubled, v.reordered, v.foreign, v.wrong, v.extra
        ),
    };
    for example in &v.examples {
        let _ = writeln!(text, "         {example}");
    }
    // A greeting that is taken for the first reply leaves that one for later.
    if v.extra > 0 || v.wrong > 0 && v.doubled > 0 {
        text.push_str(
            "         Does the server greet, greet in several lines, or say several lines for a message? Then \
             each\n         reply may have been taken for another's; --expect says what it should say.\n",
        );
    }
    if let Some(pushes) = &m.pushes {
        deliveries(pushes, text);
    }
}

fn deliveries(pushes: &Pushes, text: &mut String) {
    let Pushes { subscribers, delivered, missed, wrong, doubled, reordered, .. } = pushes;
    if pushes.bad() > 0 {
        let _ = writeln!(
            text,
            "pushes   VERIFICATION FAILED: {wrong} wrong, {doubled} doubled, {reordered} reordered"
        );
    }
    let _ = writeln!(
        text,
        "pushes   {delivered} delivered to {}, {} /s; {missed} missed{}",
        plural(*subscribers as u64, "subscriber"),
        thousands(pushes.rate),
        if pushes.bad() > 0 { "" } else { ", and none was wrong" }
    );
    for example in &pushes.examples {
        let _ = writeln!(text, "         {example}");
    }
}

fn failures(m: &Measurement, text: &mut String) {
    let f = &m.failures;
    if m.reconnected > 0 {
        let (reconnected, were) = match m.reconnected {
            1 => ("1 connection".to_owned(), "was re-established after it had ended it"),
            many => (plural(many, "connection"), "were re-established after it had ended them"),
        };
        let resent = plural(m.resent, "message");
        let _ = writeln!(text, "server   {reconnected} {were}, and {resent} sent again");
    }
    let unserved = match f.unserved {
        1 => "was made and never served; it may have waited in the server's backlog",
        _ => "were made and never served; they may have waited in the server's backlog",
    };
    for (count, what) in [(f.connect, "could not be made"), (f.ended, "ended early"), (f.unserved, unserved)]
    {
        if count > 0 {
            let _ = writeln!(text, "failed   {} {what}", plural(count, "connection"));
        }
    }
    for example in &f.examples {
        let _ = writeln!(text, "         {example}");
    }
}

fn hostile(clients: &HostileClients, text: &mut String) {
    for (name, counts) in clients.kinds().into_iter().filter(|(_, counts)| counts.clients > 0) {
        let made = match counts.connections {
            0 => "no connection was ever made".to_owned(),
            made => format!("{}, {} ended by the server", plural(made, "connection"), counts.ended),
        };
        let _ = writeln!(text, "hostile  {}, {made}", plural(counts.clients, name));
    }
}

/// A share in percent, with a decimal. A share below 1 is never shown as 100, nor one above 0 as 0.
fn percent(share: f64) -> String {
    match share {
        share if share >= 1.0 => "100".to_owned(),
        share if share > 0.999 => "more than 99.9".to_owned(),
        share if share < 0.001 => "less than 0.1".to_owned(),
        share => format!("{:.1}", share * 100.0),
    }
}

/// A rate without decimals, with spaces between groups of three digits.
pub(super) fn thousands(rate: f64) -> String {
    grouped(rate.round() as u64)
}
