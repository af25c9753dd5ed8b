//! Services with modified limits.

use std::sync::Arc;
use std::time::Duration;

use common::{MailboxFull, Overload, Service};
use serving::Stop;

use crate::application::Tampered;
use crate::defect::Defect;
use crate::{delivery, transform};

const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(1);

/// The service of a backend with this defect. A panic of a session requests `stop` if that is the defect.
pub(crate) fn tamper(service: &Service, defect: Option<Defect>, stop: &Stop) -> Service {
    let mut service = service.clone();
    let limits = &mut service.limits;
    match defect {
        Some(Defect::LimitOffByOne) => limits.max_message += 1,
        Some(Defect::UnboundedReplies) => limits.max_reply = usize::MAX,
        Some(Defect::NoIdleDeadline) => limits.idle_timeout = None,
        Some(Defect::NoMessageDeadline) => limits.message_timeout = LONG,
        Some(Defect::NoWriteDeadline) => limits.write_timeout = LONG,
        Some(Defect::NoMinimumRate) => limits.min_rate = 0,
        Some(Defect::FiresDeadlinesEarly) => {
            limits.idle_timeout = limits.idle_timeout.map(|_| SHORT);
            (limits.message_timeout, limits.write_timeout, limits.drain_timeout) = (SHORT, SHORT, SHORT);
            (limits.answer_timeout, limits.min_rate_window) = (SHORT, SHORT);
        }
        Some(Defect::MessageDeadlineAlwaysRuns) => limits.idle_timeout = Some(limits.message_timeout),
        Some(Defect::IdleDeadlineAlwaysRuns) => {
            limits.message_timeout = limits.idle_timeout.unwrap_or(LONG);
        }
        Some(Defect::NoAnswerTimeout) => limits.answer_timeout = LONG,
        Some(Defect::IdleDeadlineRunsWhilePending) => {
            limits.answer_timeout = limits.idle_timeout.unwrap_or(LONG);
        }
        Some(Defect::UnlimitedMailboxes) => limits.mailbox = usize::MAX,
        Some(Defect::IgnoresMailboxFull) => {
            limits.mailbox_full = match limits.mailbox_full {
                MailboxFull::Close => MailboxFull::Refuse,
                MailboxFull::Refuse => MailboxFull::DropOldest,
                _ => MailboxFull::Close,
            };
        }
        Some(Defect::ConnectionLimitOffByOne) => limits.max_connections += 1,
        Some(Defect::RefusesInsteadOfQueueing) => limits.overload = Overload::Refuse,
        Some(Defect::NoDrainDeadline) => limits.drain_timeout = LONG,
        Some(Defect::IgnoresUnsupportedSettings) => {
            (service.workers, service.stack_size, service.blocking_threads) = (None, None, None);
        }
        Some(Defect::IgnoresConfiguredWorkers) => service.workers = None,
        Some(Defect::AcceptsFromASharedBacklog) => service.shared_listener = false,
        _ => {}
    }
    if let Some(defect) = defect {
        service.application = Arc::new(delivery::Tampered::new(service.application, defect, stop.clone()));
        service.application = Arc::new(Tampered::new(service.application, defect, stop.clone()));
        service = transform::tamper(service, defect);
    }
    service
}
