//! Urgent data is skipped, and causes no loss and no delay.

use std::time::Duration;

use common::CloseReason;

use crate::gate::Gate;
use crate::handlers::{IntoService, Scripted};
use crate::subject::Subject;

/// How often a case is repeated: whether a reader that stops at urgent data is notified of the data after it depends on
/// timing.
const TRIALS: usize = 50;

pub(crate) fn urgent_data_does_not_delay_messages(subject: &Subject) {
    let server = subject.serve(Scripted::new().service());
    for _ in 0..TRIALS {
        let mut client = server.connect_greeted();
        client.send("a\n");
        client.send_urgent(b'!');
        client.send("b\n");
        client.expect_reply("1:a");
        client.expect_reply("2:b");
        client.send_message("exit");
        client.expect_end();
    }
}

pub(crate) fn end_of_input_after_urgent_data_is_noticed(subject: &Subject) {
    let server = subject.serve(Scripted::new().service());
    for _ in 0..TRIALS {
        let mut client = server.connect_greeted();
        client.send("a\n");
        client.send_urgent(b'!');
        client.end_input();
        client.expect_last("1:a");
    }
    assert_eq!(server.stop().reason(CloseReason::EndOfInput), TRIALS as u64);
}

pub(crate) fn stop_answers_messages_after_urgent_data(subject: &Subject) {
    for _ in 0..5 {
        let gate = Gate::default();
        let script = Scripted::new().blocking_at(&gate);
        let server = subject.serve(script.limited(|limits| limits.drain_timeout = Duration::from_secs(3600)));
        let mut client = server.connect_greeted();
        client.send_message("wait");
        gate.wait_for(1, subject.timeout());
        client.send("a\n");
        client.send_urgent(b'!');
        client.send("b\n");
        client.wait_until_arrived();
        server.drain();
        gate.open();
        client.expect_reply("1:wait");
        client.expect_reply("2:a");
        client.expect_last("3:b");
    }
}
