//! Modified stops.

use std::sync::Arc;
use std::task::{Wake, Waker};

use serving::{Registration, Stop, Urgency};

use crate::defect::Defect;

/// The stop of a backend with this defect, which works while the registration is kept.
pub(crate) fn tamper(stop: &Stop, defect: Option<Defect>) -> (Stop, Option<Registration>) {
    let max = match defect {
        Some(Defect::IgnoresStop) => Urgency::None,
        Some(Defect::IgnoresImmediateStop) => Urgency::Drain,
        Some(Defect::CutsOffAtStop | Defect::HidesStatistics) => Urgency::Now,
        _ => return (stop.clone(), None),
    };
    let modified = Stop::new();
    let cuts_off = defect == Some(Defect::CutsOffAtStop);
    let forwarder = Forwarder { source: stop.clone(), max, cuts_off, target: modified.clone() };
    (modified, Some(stop.register(Waker::from(Arc::new(forwarder)))))
}

/// Forwards requests to stop incorrectly.
struct Forwarder {
    source: Stop,
    max: Urgency,
    cuts_off: bool,
    target: Stop,
}

impl Wake for Forwarder {
    fn wake(self: Arc<Self>) {
        let urgency = self.source.urgency();
        match urgency.min(self.max) {
            Urgency::Drain if self.cuts_off => self.target.now(),
            Urgency::Drain => self.target.drain(),
            Urgency::None => {}
            _ => self.target.now(),
        }
    }
}
