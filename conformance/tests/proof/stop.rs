//! Modified stops.

use std::sync::Arc;
use std::task::{Wake, Waker};

use serving::{Stop, Subscription, Urgency};

use crate::defect::Defect;

/// The stop of a backend with this defect, which works while the subscription is kept.
pub(crate) fn tamper(stop: &Stop, defect: Option<Defect>) -> (Stop, Option<Subscription>) {
    let most = match defect {
        Some(Defect::IgnoresStop) => Urgency::None,
        Some(Defect::IgnoresImmediateStop) => Urgency::Drain,
        Some(Defect::CutsOffAtStop | Defect::HidesStatistics) => Urgency::Now,
        _ => return (stop.clone(), None),
    };
    let understood = Stop::new();
    let impatient = defect == Some(Defect::CutsOffAtStop);
    let messenger = Messenger { heard: stop.clone(), most, impatient, told: understood.clone() };
    (understood, Some(stop.subscribe(Waker::from(Arc::new(messenger)))))
}

/// Forwards requests to stop incorrectly.
struct Messenger {
    heard: Stop,
    most: Urgency,
    impatient: bool,
    told: Stop,
}

impl Wake for Messenger {
    fn wake(self: Arc<Self>) {
        let heard = self.heard.urgency();
        match heard.min(self.most) {
            Urgency::Drain if self.impatient => self.told.now(),
            Urgency::Drain => self.told.drain(),
            Urgency::None => {}
            _ => self.told.now(),
        }
    }
}
