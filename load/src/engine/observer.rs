//! What is seen of a run from outside: how it goes, what the server uses, and what else the machine does.

use std::thread;
use std::time::{Duration, Instant};

use crate::engine::live::{Live, Progress};
use crate::host::Host;
use crate::measurement::Usage;
use crate::plan::Plan;
use crate::process::Account;

/// How often it is told how the run goes.
const TELL: Duration = Duration::from_millis(100);

/// What was seen from outside within the measured time.
#[derive(Default)]
pub(super) struct Observed {
    pub(super) usage: Option<Usage>,
    pub(super) steal: f64,
}

/// Tells how the run goes, and looks at the server and the machine at the begin and the end of what is
/// measured.
pub(super) fn observe(
    plan: &Plan,
    start: Instant,
    at_work: &dyn Fn() -> bool,
    live: &Live,
    tell: Option<&dyn Fn(Progress)>,
) -> Observed {
    let total = plan.warmup + plan.duration;
    let watch_until = |end: Duration| {
        while at_work() && start.elapsed() < end {
            thread::sleep(TELL.min(end.saturating_sub(start.elapsed())));
            if let Some(tell) = tell {
                let passed = start.elapsed().min(total);
                tell(Progress { passed, total, warming_up: passed < plan.warmup, ..live.progress() });
            }
        }
    };
    watch_until(plan.warmup);
    let account = plan.server.and_then(|server| Account::open(server).ok());
    let before = live.replies();
    let host = Host::now();
    watch_until(total);
    let steal = host.and_then(|host| Some(Host::now()?.steal_since(&host)));
    Observed {
        usage: account.and_then(|account| account.usage(|| live.replies().saturating_sub(before))),
        steal: steal.unwrap_or(0.0),
    }
}
