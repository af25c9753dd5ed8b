//! How many event loops produce the load of a plan.

use std::thread::available_parallelism;

use crate::plan::Plan;

/// The rate at which a thread sends messages without being the bottleneck, with one write per message.
const RATE_OF_A_THREAD: f64 = 100_000.0;

/// The number of threads for a plan: as given, or as many as the rate needs. The default leaves the other cores to the
/// server.
pub(super) fn threads(plan: &Plan) -> usize {
    let cores = available_parallelism().map_or(1, usize::from);
    match plan.threads {
        0 => as_needed(plan, cores),
        threads => threads,
    }
}

fn as_needed(plan: &Plan, cores: usize) -> usize {
    let left = match plan.cpus.len() {
        0 if cores < 4 => 1,
        0 => cores / 2,
        pinned => pinned,
    };
    // Each message is also received by every subscriber.
    let events = 1.0 + plan.shard.share(plan.subscribers.count) as f64;
    let needed =
        plan.own_rate().map_or(usize::MAX, |rate| (rate * events / RATE_OF_A_THREAD).ceil() as usize);
    needed.min(left).min(plan.most_threads()).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Arrivals, Dispatch, Pace};

    fn plan(rate: Option<f64>, connections: usize, cpus: &[usize]) -> Plan {
        let open = |rate| Pace::Open { rate, arrivals: Arrivals::Constant, dispatch: Dispatch::Each };
        let pace = rate.map_or(Pace::Closed, open);
        Plan {
            pace,
            connections,
            cpus: cpus.into(),
            threads: 0,
            ..Plan::new(std::net::SocketAddr::from(([127, 0, 0, 1], 1)))
        }
    }

    #[test]
    fn the_default_number_of_threads_follows_from_the_rate_and_the_cores() {
        for (rate, connections, cpus, cores, threads) in [
            (None, 64, &[][..], 1, 1),
            (None, 64, &[], 2, 1),
            (None, 64, &[], 3, 1),
            (None, 64, &[], 4, 2),
            (None, 64, &[], 16, 8),
            (None, 3, &[], 16, 3),
            (None, 64, &[1], 16, 1),
            (None, 64, &[2, 3], 2, 2),
            (Some(1000.0), 64, &[], 16, 1),
            (Some(250_000.0), 64, &[], 16, 3),
            (Some(250_000.0), 64, &[], 4, 2),
            (Some(250_000.0), 64, &[1], 4, 1),
        ] {
            let plan = plan(rate, connections, cpus);
            assert_eq!(as_needed(&plan, cores), threads, "{rate:?}, {connections}, {cpus:?}, {cores} cores");
        }
        for (rate, subscribers, needed) in [(1000.0, 10, 1), (1000.0, 1000, 8), (50_000.0, 5, 3)] {
            let plan = plan(Some(rate), 1, &[]).with_subscribers(subscribers);
            assert_eq!(as_needed(&plan, 16), needed, "{rate} to {subscribers} subscribers");
        }
        assert_eq!(threads(&Plan { threads: 7, ..plan(None, 64, &[]) }), 7, "a given number is used");
    }
}
