//! The plan that the flags of `load` make.

use std::net::SocketAddr;

use load::plan::{Hostile, Messages, Pace, Plan};

use super::arguments::Load;
use crate::descriptors;
use crate::failure::Failure;

/// The plan for a server at this address, but for what its replies should be.
pub(super) fn plan(arguments: &Load, address: SocketAddr) -> Result<Plan, Failure> {
    let (arrivals, dispatch) = (arguments.arrivals, arguments.dispatch);
    let pace = arguments.rate.map_or(Pace::Closed, |rate| Pace::Open { rate, arrivals, dispatch });
    let own = arguments.own_messages.encoded(arguments.framing)?;
    let messages = own.unwrap_or_else(|| Messages::Made(arguments.message_size.clone()));
    let plan = Plan {
        connections: arguments.connections,
        depth: arguments.depth,
        pace,
        duration: arguments.duration.0,
        warmup: arguments.warmup.0,
        messages,
        framing: arguments.framing,
        connect_rate: arguments.connect_rate,
        messages_per_connection: arguments.messages_per_connection,
        reconnect: arguments.reconnect,
        hostile: Hostile {
            idle: arguments.idle,
            slow_readers: arguments.slow_readers,
            slow_writers: arguments.slow_writers,
        },
        threads: arguments.threads,
        cpus: arguments.cpus.clone(),
        seed: arguments.seed,
        server: arguments.server_pid,
        ..Plan::new(address)
    };
    plan.check().map_err(Failure::Usage)?;
    if !arguments.find_max_rate {
        arguments.slo.iter().try_for_each(|slo| slo.check(&plan)).map_err(Failure::Usage)?;
    }
    check_room(&plan)?;
    Ok(plan)
}

/// Whether the limit on open files leaves room for the connections.
fn check_room(plan: &Plan) -> Result<(), Failure> {
    let Hostile { idle, slow_readers, slow_writers } = plan.hostile;
    let connections = plan.connections + idle + slow_readers + slow_writers;
    let limit = descriptors::raise_limit();
    let room = limit.saturating_sub(descriptors::RESERVED);
    if connections > room {
        return Err(Failure::Usage(format!(
            "{connections} connections are more than the {room} that {limit} open files leave room for; ask for \
             fewer, or have several generators make the load, and merge what they measure"
        )));
    }
    Ok(())
}
