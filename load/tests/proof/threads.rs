//! The generator's threads and clocks, observed by a message hook.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyloop_load::engine;
use anyloop_load::plan::{Expect, Hostile, MessageHook, Messages, Plan, ReplyHook};

use super::faulty::Faulty;
use super::{open, plan, run};

/// Messages that run this function before each is written.
fn messages(first: impl Fn() + Send + Sync + 'static) -> Messages {
    Messages::By(MessageHook::new(move |connection, number, buffer| {
        first();
        buffer.extend_from_slice(format!("{connection}:{number}").as_bytes());
    }))
}

#[test]
fn the_clock_is_read_for_each_write() {
    let server = Faulty::good();
    let m = run(&Plan {
        connections: 100,
        pace: open(1000.0),
        messages: messages(|| thread::sleep(Duration::from_millis(5))),
        warmup: Duration::ZERO,
        duration: Duration::from_millis(60),
        expect: Expect::Any,
        ..plan(&server)
    });
    // While one message is written, five more become due on other connections: they are sent in one batch. The last of
    // them was not in flight while the others were written.
    assert_eq!((m.verification.bad(), m.unfinished), (0, 0), "{m:?}");
    assert!(m.service.value_at(30.0) < m.service.max / 2.0, "{:?}", m.service.values);
    // Nor was it in flight while it was written itself.
    assert!(m.service.value_at(0.0) < 5_000.0, "{:?}", m.service.values);
}

#[cfg(target_os = "linux")]
#[test]
fn threads_run_on_the_cores_of_the_plan_and_on_no_others() {
    use rustix::thread::sched_getaffinity;
    let server = Faulty::good();
    let before = sched_getaffinity(None).expect("it is known");
    let last = (0..1024).rfind(|&cpu| before.is_set(cpu)).expect("there is a core");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let its_seen = Arc::clone(&seen);
    let look = move || {
        let cores = sched_getaffinity(None).expect("it is known");
        its_seen.lock().expect("nobody panics").push((
            thread::current().id(),
            cores.count(),
            cores.is_set(last),
        ));
    };
    let m = run(&Plan {
        threads: 2,
        cpus: vec![last],
        messages: messages(look),
        expect: Expect::Any,
        ..plan(&server)
    });
    assert_eq!(m.verification.bad(), 0, "{m:?}");
    let seen = seen.lock().expect("nobody panics");
    assert!(seen.iter().all(|&(_, count, has_it)| count == 1 && has_it));
    assert!(seen.iter().any(|(thread, ..)| *thread != seen[0].0), "there are two");
    assert_eq!(sched_getaffinity(None).expect("it is known"), before);
}

#[test]
fn a_hook_that_panics_ends_the_run_and_is_named() {
    let server = Faulty::good();
    let hostile = Hostile { idle: 1, ..Hostile::default() };
    let writes = MessageHook::new(|_, number, _| assert!(number < 20, "no more than 20"));
    let judges = ReplyHook::new(|_, _| panic!("what is a reply?"));
    for (messages, expect, expected) in [
        (Messages::By(writes), Expect::Any, "the hook `messages` panicked: no more than 20"),
        (Messages::default(), Expect::By(judges), "the hook `expecting` panicked: what is a reply?"),
    ] {
        let plan = Plan { messages, expect, hostile, threads: 1, ..plan(&server) };
        let error = engine::run(&plan, &AtomicBool::new(false), None).expect_err("it panics");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn load_is_produced_by_the_requested_threads() {
    let server = Faulty::good();
    let m = run(&Plan { threads: 0, ..plan(&server) });
    assert_eq!((m.connections, m.verification.bad()), (2, 0), "{m:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn messages_are_counted_between_the_readings_of_the_clocks() {
    let server = Faulty::good();
    let process = std::process::id();
    let m = run(&Plan { pace: open(2000.0), server: Some(process), ..plan(&server) });
    let usage = m.server.expect("it lives");
    // Those of the warm-up are verified too.
    assert!(usage.messages > 0 && usage.messages < m.verification.replies, "{m:?}");
    assert!(usage.memory.is_some_and(|memory| memory > 0), "{usage:?}");
    let (user, system) = m.cpu_per_message().expect("it is known");
    let all = (user + system) * usage.messages as f64 / 1e6;
    assert!((all - usage.user_seconds - usage.system_seconds).abs() < 1e-9, "{usage:?}");
}
