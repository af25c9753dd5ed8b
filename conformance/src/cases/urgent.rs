//! Urgent data, which this server has no use for: they are passed over, and lose and delay nothing.

use std::time::Duration;

use common::CloseReason;

use crate::gate::Gate;
use crate::handlers::Scripted;
use crate::subject::Subject;

/// How often a case is tried: where a reader stops in front of urgent data, it depends on the moment whether it is told
/// of what stands behind.
const TRIALS: usize = 50;

pub(crate) fn urgent_data_delays_nothing(subject: &Subject) {
    let server = subject.serve(Scripted::new().service());
    for _ in 0..TRIALS {
        let mut client = server.connect_greeted();
        client.send("a\n");
        client.sends_urgently(b'!');
        client.send("b\n");
        client.hears("1:a");
        client.hears("2:b");
        client.say("exit");
        client.hears_end();
    }
}

pub(crate) fn the_end_behind_urgent_data_is_seen(subject: &Subject) {
    let server = subject.serve(Scripted::new().service());
    for _ in 0..TRIALS {
        let mut client = server.connect_greeted();
        client.send("a\n");
        client.sends_urgently(b'!');
        client.ends_input();
        client.hears_last("1:a");
    }
    assert_eq!(server.stop().reason(CloseReason::EndOfInput), TRIALS as u64);
}

pub(crate) fn stop_answers_behind_urgent_data(subject: &Subject) {
    for _ in 0..5 {
        let gate = Gate::default();
        let script = Scripted::new().waiting_at(&gate);
        let server = subject.serve(script.limited(|limits| limits.drain_timeout = Duration::from_secs(3600)));
        let mut client = server.connect_greeted();
        client.say("wait");
        gate.waits_for(1, subject.patience());
        client.send("a\n");
        client.sends_urgently(b'!');
        client.send("b\n");
        client.waits_for_arrival();
        server.drain();
        gate.open();
        client.hears("1:wait");
        client.hears("2:a");
        client.hears_last("3:b");
    }
}
