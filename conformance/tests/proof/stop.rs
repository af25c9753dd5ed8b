//! Stops that were tampered with.

use std::sync::Arc;
use std::task::{Wake, Waker};

use serving::{Stop, Subscription, Urgency};

use crate::defect::Defect;

/// The stop as a backend with this defect understands it, for as long as the subscription is kept.
pub(crate) fn tamper(stop: &Stop, defect: Option<Defect>) -> (Stop, Option<Subscription>) {
    let most = match defect {
        Some(Defect::IgnoresStop) => Urgency::None,
        Some(Defect::IgnoresTheSecondPress) => Urgency::Drain,
        Some(Defect::StopsImpatiently) => Urgency::Now,
        _ => return (stop.clone(), None),
    };
    let understood = Stop::new();
    let messenger = Messenger { heard: stop.clone(), most, told: understood.clone() };
    (understood, Some(stop.subscribe(Waker::from(Arc::new(messenger)))))
}

/// Passes on what is pressed, wrongly.
struct Messenger {
    heard: Stop,
    most: Urgency,
    told: Stop,
}

impl Wake for Messenger {
    fn wake(self: Arc<Self>) {
        match self.most {
            Urgency::Now if self.heard.urgency() >= Urgency::Drain => self.told.now(),
            Urgency::Drain => self.told.drain(),
            Urgency::None | Urgency::Now => {}
        }
    }
}
