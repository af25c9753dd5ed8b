//! Creates a plan from the flags of `load`.

use common::Address;
use load::framing::Framing;
use load::plan::{Expect, Hostile, Messages, Pace, Plan, Subscribers, TransformHook};

use super::arguments::Load;
use crate::descriptors;
use crate::failure::Failure;

/// Creates the plan for a server at this address. Also returns whether the expected replies are known.
pub(super) fn plan(arguments: &Load, address: Address) -> Result<(Plan, bool), Failure> {
    let (arrivals, dispatch) = (arguments.arrivals, arguments.dispatch);
    let pace = arguments.rate.map_or(Pace::Closed, |rate| Pace::Open { rate, arrivals, dispatch });
    // If the framing is not the handler's, the server is another one.
    let is_its = |own: Framing| arguments.framing.is_none_or(|framing| framing == own);
    let load = arguments.handler.as_ref().map(|served| &served.load);
    let load = load.filter(|load| load.framing.is_none_or(is_its));
    let framing = arguments.framing.or(load.and_then(|load| load.framing)).unwrap_or(Framing::Line);
    let own = arguments.own_messages.encoded(framing)?;
    let subscribes = arguments.subscribe > 0;
    let is_known = arguments.expect.is_some() || own.is_some() || load.is_some() || subscribes;
    let made = Messages::Made(arguments.message_size.clone());
    let (messages, expect) = match load {
        Some(load) => load.messages(own, made),
        None if subscribes => (own.unwrap_or(made), Expect::Ok),
        None => (own.unwrap_or(made), Expect::Any),
    };
    let expect = arguments.expect.clone().unwrap_or(expect);
    let plan = Plan {
        connections: arguments.connections,
        depth: arguments.depth,
        pace,
        duration: arguments.duration.0,
        warmup: arguments.warmup.0,
        reply_timeout: arguments.reply_timeout.0,
        messages,
        framing,
        transform: transform(arguments)?,
        expect,
        connect_rate: arguments.connect_rate,
        messages_per_connection: arguments.messages_per_connection,
        reconnect: arguments.reconnect,
        subscribers: Subscribers {
            count: arguments.subscribe,
            message: arguments.subscribe_message.clone().into_bytes(),
        },
        hostile: Hostile {
            idle: arguments.idle,
            slow_readers: arguments.slow_readers,
            slow_writers: arguments.slow_writers,
        },
        threads: arguments.threads,
        cpus: arguments.cpus.clone(),
        seed: arguments.seed,
        server: arguments.server_pid,
        shard: arguments.part.shard()?,
        start_at: arguments.part.start_at()?,
        ..Plan::new(address)
    };
    plan.check().map_err(Failure::Usage)?;
    if !arguments.find_max_rate {
        arguments.slo.iter().try_for_each(|slo| slo.check(&plan)).map_err(Failure::Usage)?;
    }
    check_room(&plan)?;
    Ok((plan, is_known))
}

/// TLS, if that was requested.
fn transform(arguments: &Load) -> Result<Option<TransformHook>, Failure> {
    let is_full = arguments.tls_full_handshake;
    let connect = arguments.secure.connect(&arguments.address, is_full)?;
    let name = if is_full { "TLS with full handshakes" } else { "TLS" };
    Ok(connect.map(|connect| TransformHook::new(name, move || connect.transform())))
}

/// Checks that the limit on open files allows the connections.
fn check_room(plan: &Plan) -> Result<(), Failure> {
    let connections = plan.own_clients();
    let limit = descriptors::raise_limit();
    let room = limit.saturating_sub(descriptors::RESERVED);
    if connections > room {
        return Err(Failure::Usage(format!(
            "{connections} connections are more than the {room} that {limit} open files leave room for; ask for \
             fewer, or divide them among several machines by --shard"
        )));
    }
    Ok(())
}
