//! The metrics of a server.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use common::{CloseReason, Limits, Outcome};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeLabelSet, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use rustix::io::Errno;
use serving::{Durations, Monitor, Statistics};

/// A registry with the metrics of the observed server and of this process, to which a program may add its own.
pub fn registry(monitor: &Monitor) -> Registry {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Metrics::new(monitor.clone())));
    registry
}

/// The metrics of a server and of this process, for a [`Registry`] of a program's own; [`registry`] has them.
///
/// They are named after OpenTelemetry's conventions for Kestrel, with the words of [`Statistics`]. All that belongs to the server is
/// read at once, so it adds up in every scrape: accepted connections are the open, the ended and the refused ones, and pushes are
/// the delivered, the dropped, the refused and the queued ones. `docs/operate.md` has the list.
#[derive(Clone, Debug)]
pub struct Metrics(Monitor);

impl Metrics {
    /// The metrics of the server that is observed.
    pub fn new(monitor: Monitor) -> Self {
        Self(monitor)
    }
}

impl Collector for Metrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families(encoder);
        let statistics = self.0.statistics();
        families.server(&self.0)?;
        families.connections(&statistics)?;
        families.messages(&statistics)?;
        families.limits(&self.0.limits())?;
        #[cfg(target_os = "linux")]
        crate::process::encode(&mut families)?;
        Ok(())
    }
}

/// Writes metrics. The name of each ends with its unit, and that of a counter with `_total` behind it.
pub(crate) struct Families<'a>(DescriptorEncoder<'a>);

impl Families<'_> {
    fn server(&mut self, monitor: &Monitor) -> fmt::Result {
        let help = "The backend, and the version of anyloop.";
        let mut build = self.0.encode_descriptor("anyloop_build", help, None, MetricType::Info)?;
        build.encode_info(&[("version", env!("CARGO_PKG_VERSION")), ("backend", monitor.backend())])?;
        let started = monitor.started().duration_since(UNIX_EPOCH).unwrap_or_default();
        let help = "When the server was started, since the Unix epoch.";
        self.gauge("anyloop_start_time", "seconds", help, started.as_secs_f64())
    }

    fn connections(&mut self, statistics: &Statistics) -> fmt::Result {
        const UNIT: &str = "connections";
        let Statistics { accepted, unlingered, durations, .. } = statistics;
        self.counter("anyloop_accepted", UNIT, "How many connections were accepted.", *accepted)?;
        self.gauge("anyloop_open", UNIT, "How many connections are open.", statistics.open())?;
        let counts = |is_refused: bool| {
            let is_asked = move |reason: &&CloseReason| (reason.outcome() == Outcome::Refused) == is_refused;
            CloseReason::ALL.iter().filter(is_asked).map(|&reason| (reason, statistics.reason(reason)))
        };
        let ended = counts(false).map(|(reason, count)| {
            ([("outcome", reason.outcome().name()), ("reason", reason.name())], count)
        });
        self.counters("anyloop_ended", UNIT, "How many connections ended, without refused ones.", ended)?;
        let refused = counts(true).map(|(reason, count)| ([("reason", reason.name())], count));
        self.counters("anyloop_refused", UNIT, "How many connections were refused.", refused)?;
        let help = "How many connections were closed without lingering, since too many lingered.";
        self.counter("anyloop_unlingered", UNIT, help, *unlingered)?;
        let help = "How long connections lasted that ended, without refused ones.";
        self.histogram("anyloop_connection_duration", help, durations)?;
        let help = "How many times accepting failed for lack of descriptors or memory.";
        let errors = accept_errors(statistics);
        let errors = errors.iter().map(|(errno, count)| ([("errno", errno.as_str())], *count));
        self.counters("anyloop_accept", "errors", help, errors)
    }

    fn messages(&mut self, statistics: &Statistics) -> fmt::Result {
        const UNIT: &str = "pushes";
        let Statistics { messages, bytes_in, bytes_out, pushed, .. } = statistics;
        let Statistics { pushes_delivered, pushes_dropped, pushes_refused, .. } = statistics;
        self.counter("anyloop", "messages", "How many messages were answered.", *messages)?;
        self.counter("anyloop_received", "bytes", "How many bytes were read from clients.", *bytes_in)?;
        self.counter("anyloop_sent", "bytes", "How many bytes were written to clients.", *bytes_out)?;
        self.counter("anyloop", UNIT, "How many messages were pushed to clients.", *pushed)?;
        self.counter("anyloop_delivered", UNIT, "How many pushes reached a session.", *pushes_delivered)?;
        let help = "How many pushes were accepted and not delivered.";
        self.counter("anyloop_dropped", UNIT, help, *pushes_dropped)?;
        let help = "How many pushes were refused, since the mailbox was full.";
        self.counter("anyloop_refused", UNIT, help, *pushes_refused)?;
        self.gauge("anyloop_queued", UNIT, "How many pushes wait in mailboxes.", statistics.pushes_queued())
    }

    fn limits(&mut self, limits: &Limits) -> fmt::Result {
        let help = "The most connections at once.";
        let connections = [([("name", "max_connections")], limits.max_connections)];
        self.gauges("anyloop_limit", "connections", help, connections)?;
        let bytes = [
            ("max_message", limits.max_message),
            ("max_reply", limits.max_reply),
            ("mailbox", limits.mailbox),
        ];
        let bytes = bytes.map(|(name, bytes)| ([("name", name)], bytes));
        self.gauges("anyloop_limit", "bytes", "The limits on the memory of a client.", bytes)?;
        let help = "The least rate of unsent replies, unless it is off.";
        let rates = Some(limits.min_rate).filter(|&rate| rate > 0).map(|rate| ([("name", "min_rate")], rate));
        self.gauges("anyloop_limit", "bytes_per_second", help, rates)?;
        let seconds = [
            ("idle_timeout", limits.idle_timeout),
            ("message_timeout", Some(limits.message_timeout)),
            ("write_timeout", Some(limits.write_timeout)),
            ("answer_timeout", Some(limits.answer_timeout)),
            ("drain_timeout", Some(limits.drain_timeout)),
        ];
        let seconds = seconds
            .into_iter()
            .filter_map(|(name, limit)| limit.map(|limit: Duration| ([("name", name)], limit.as_secs_f64())));
        self.gauges("anyloop_limit", "seconds", "The timeouts, without those that are off.", seconds)
    }

    pub(crate) fn counter(
        &mut self,
        name: &str,
        unit: &str,
        help: &str,
        value: impl EncodeCounterValue,
    ) -> fmt::Result {
        let unit = Unit::Other(unit.to_owned());
        let mut counter = self.0.encode_descriptor(name, help, Some(&unit), MetricType::Counter)?;
        counter.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    pub(crate) fn gauge(
        &mut self,
        name: &str,
        unit: &str,
        help: &str,
        value: impl EncodeGaugeValue,
    ) -> fmt::Result {
        let unit = Unit::Other(unit.to_owned());
        self.0.encode_descriptor(name, help, Some(&unit), MetricType::Gauge)?.encode_gauge(&value)
    }

    fn counters<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        unit: &str,
        help: &str,
        series: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let unit = Unit::Other(unit.to_owned());
        let mut family = self.0.encode_descriptor(name, help, Some(&unit), MetricType::Counter)?;
        series.into_iter().try_for_each(|(labels, value)| {
            family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)
        })
    }

    fn gauges<L: EncodeLabelSet, V: EncodeGaugeValue>(
        &mut self,
        name: &str,
        unit: &str,
        help: &str,
        series: impl IntoIterator<Item = (L, V)>,
    ) -> fmt::Result {
        let unit = Unit::Other(unit.to_owned());
        let mut family = self.0.encode_descriptor(name, help, Some(&unit), MetricType::Gauge)?;
        let mut series = series.into_iter();
        series.try_for_each(|(labels, value)| family.encode_family(&labels)?.encode_gauge(&value))
    }

    fn histogram(&mut self, name: &str, help: &str, durations: &Durations) -> fmt::Result {
        let unit = Unit::Seconds;
        let bounds = Durations::BOUNDS.iter().map(Duration::as_secs_f64).chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(durations.counts().iter().copied()).collect();
        let mut histogram = self.0.encode_descriptor(name, help, Some(&unit), MetricType::Histogram)?;
        let sum = durations.sum().as_secs_f64();
        histogram.encode_histogram::<NoLabelSet>(sum, durations.count(), &buckets, None)
    }
}

/// The errors of accepting by the name of their `errno`, or by its number. Those that an operator may see are listed also if they
/// have not occurred, so that their first occurrence is an increase.
fn accept_errors(statistics: &Statistics) -> Vec<(String, u64)> {
    let named = [
        ("EMFILE", Errno::MFILE),
        ("ENFILE", Errno::NFILE),
        ("ENOBUFS", Errno::NOBUFS),
        ("ENOMEM", Errno::NOMEM),
    ];
    let mut errors: Vec<_> = named.iter().map(|(name, _)| ((*name).to_owned(), 0)).collect();
    for (errno, count) in statistics.accept_errnos() {
        match named.iter().position(|(_, known)| known.raw_os_error() == errno) {
            Some(at) => errors[at].1 = count,
            None => errors.push((errno.to_string(), count)),
        }
    }
    errors
}
