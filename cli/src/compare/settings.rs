//! The conversion of `compare`'s arguments into settings.

use std::env;

use compare::{Comparison, Settings, Shape, Tier};
use load::framing::Framing;
use load::plan::Messages;

use super::arguments::Compare;
use super::candidates::candidates;
use super::certificate::Certificate;
use crate::catalogue::{Catalogue, Served};
use crate::failure::Failure;
use crate::program::Program;

/// The closed loops with `--with-handwritten`: connections, and messages in flight on each. Several messages show the
/// cost of processing, one message the cost of system calls, and many connections the cost of finding the ready ones.
/// The first is the saturation of the matrix.
const HANDWRITTEN_LOOPS: [(usize, usize); 3] = [(64, 16), (64, 1), (500, 1)];

/// The settings for a program with this catalogue, and to be compared with a baseline. With a certificate all servers speak
/// TLS.
pub(super) fn settings(
    arguments: &Compare,
    catalogue: &Catalogue,
    baseline: Option<&Comparison>,
    certificate: Option<&Certificate>,
    program: &Program,
) -> Result<Settings, Failure> {
    let subscribers = subscribers(arguments);
    check(arguments, &subscribers)?;
    let load = arguments.handler.load(&arguments.flags)?;
    let framing = load.framing.filter(|_| serves_backends(arguments)).unwrap_or(arguments.framing);
    let own = arguments.own_messages.encoded(framing)?;
    let (messages, expect) = load.messages(own, Messages::Made(arguments.message_size.clone()));
    let settings = Settings {
        tier: tier(arguments),
        rounds: arguments.rounds,
        clients: arguments.connections,
        depth: arguments.depth,
        rate: arguments.rate.or_else(|| rate_of(baseline?, arguments, &subscribers)),
        closed_loops: if arguments.with_handwritten { HANDWRITTEN_LOOPS.to_vec() } else { Vec::new() },
        subscribers,
        subscribe_message: arguments.subscribe_message.clone().into_bytes(),
        connections: arguments.sweep_connections.clone(),
        messages,
        framing,
        transform: certificate.map(Certificate::transform).transpose()?,
        expect: arguments.expect.clone().unwrap_or(expect),
        threads: arguments.threads,
        cpus_server: arguments.cpus_server.clone(),
        cpus_load: arguments.cpus_load.clone(),
        seed: arguments.seed,
        allow_refusals: arguments.allow_refusals,
        slos: arguments.slo.clone(),
        handler: described(arguments),
        command: command(program.name()),
        ..Settings::new(Vec::new())
    };
    let most = (settings.most_connections(), settings.messages.longest());
    let candidates = candidates(arguments, catalogue, program, certificate, most)?;
    let settings = Settings { candidates, ..settings };
    settings.check().map_err(Failure::Usage)?;
    check_subscribers(&settings)?;
    let absent = settings.candidates.iter().map(|candidate| candidate.unavailable.as_deref());
    if let Some(why) = absent.collect::<Option<Vec<_>>>() {
        return Err(Failure::Failed(format!(
            "none of the servers is available on this machine: {}",
            why.join("; ")
        )));
    }
    Ok(settings)
}

/// The numbers of subscribers of the handler `fanout`, unless flags say otherwise.
const SUBSCRIBERS: [usize; 3] = [1, 100, 10_000];

fn subscribers(arguments: &Compare) -> Vec<usize> {
    let handler = &arguments.handler;
    let is_fanout = handler.built_in && handler.name == "fanout" && serves_backends(arguments);
    if arguments.subscribe.is_empty() && is_fanout {
        SUBSCRIBERS.to_vec()
    } else {
        arguments.subscribe.clone()
    }
}

/// Checks that some server can hold a subscriber beside the senders.
fn check_subscribers(settings: &Settings) -> Result<(), Failure> {
    let needed = settings.least_connections();
    let holds = |most: Option<usize>| most.is_none_or(|most| most >= needed);
    if settings.subscribers.is_empty() || settings.candidates.iter().any(|one| holds(one.max_connections)) {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "with subscribers a server must hold {needed} connections, which none of the chosen ones can; choose another with \
         --backends, or lower --connections or --subscribe"
    )))
}

/// Checks combinations of flags.
fn check(arguments: &Compare, subscribers: &[usize]) -> Result<(), Failure> {
    let Served { name: handler, .. } = arguments.handler;
    let framing = arguments.framing.name();
    if serves_backends(arguments) {
        check_framing(arguments)?;
    }
    if !subscribers.is_empty() && !arguments.slo.is_empty() {
        return Err(Failure::Usage(
            "--slo is about the latency of replies, and with subscribers the delay of pushes is compared; leave out --slo"
                .to_owned(),
        ));
    }
    if arguments.with_handwritten && (handler, framing) != ("echo", common::Framing::Line.name()) {
        return Err(Failure::Usage(format!(
            "the servers of --with-handwritten echo lines, but this is {handler} in {framing}; leave out \
             --with-handwritten, or --handler and --framing"
        )));
    }
    Ok(())
}

/// Whether backends are compared.
pub(super) fn serves_backends(arguments: &Compare) -> bool {
    let asks = !arguments.backends.is_empty() || !arguments.variant.is_empty();
    asks || arguments.against.is_some() || arguments.with_handwritten || arguments.server.is_empty()
}

/// Checks that the backends can serve the handler in the framing, and that the generator can talk to it.
fn check_framing(arguments: &Compare) -> Result<(), Failure> {
    let Served { name: handler, .. } = arguments.handler;
    let framing = arguments.framing.name();
    let wrong = |what: String| Err(Failure::Usage(what));
    if !arguments.handler.can_be_loaded() {
        return wrong(format!(
            "{handler} is a protocol for which the load generator has no framing: its program doesn't call \
             `load_framing`; serve it on one backend after the other, and use a generator for its protocol"
        ));
    }
    if !arguments.handler.is_framed() && framing != common::Framing::ALL[0].name() {
        return wrong(format!("{handler} is a protocol without a framing; leave out --framing"));
    }
    if arguments.handler.is_framed() && matches!(arguments.framing, Framing::Resp | Framing::Http) {
        return wrong(format!(
            "{handler} can't be served in {framing}; choose another --framing, a --handler that is a protocol, \
             or compare other programs with --server alone"
        ));
    }
    Ok(())
}

fn tier(arguments: &Compare) -> Tier {
    match (arguments.quick, arguments.full) {
        (true, _) => Tier::Quick,
        (_, true) => Tier::Full,
        _ => Tier::Default,
    }
}

/// The rate of a baseline with the same connections and depth, so that both can be compared. With subscribers it is that
/// of the deliveries to the fewest: to more of them, the rate of messages may have been raised.
fn rate_of(baseline: &Comparison, arguments: &Compare, subscribers: &[usize]) -> Option<f64> {
    let of_it = |shape: &&Shape| {
        let has_same = shape.connections == arguments.connections && shape.depth == arguments.depth;
        has_same && (shape.subscribers > 0) != subscribers.is_empty()
    };
    let shapes = baseline.shapes.iter().filter(of_it).filter(|shape| shape.rate.is_some());
    let shape = shapes.min_by_key(|shape| shape.subscribers)?;
    shape.rate.map(|rate| rate * shape.subscribers.max(1) as f64)
}

/// The handler with its flags, framing and TLS, for the report.
fn described(arguments: &Compare) -> String {
    let mut text = arguments.handler.name.to_owned();
    for flag in arguments.handler.arguments(&arguments.flags, false) {
        text.push_str(&format!(" {}", flag.display()));
    }
    if arguments.framing.name() != common::Framing::ALL[0].name() {
        text.push_str(&format!(" in {}", arguments.framing.name()));
    }
    if arguments.tls {
        text.push_str(" over TLS");
    }
    text
}

/// The command line that repeats the comparison, with the program's name in place of its path.
fn command(program: &str) -> String {
    let arguments = env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    let words: Vec<String> = [program.to_owned()].into_iter().chain(arguments).collect();
    // Only a word with a NUL can't be quoted, and no argument has one.
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
}
