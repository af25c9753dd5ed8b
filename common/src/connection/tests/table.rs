//! A table of the ways in which conversations end, with the final output. `closed` must be called once.

use super::*;

struct Row {
    reason: CloseReason,
    framing: Framing,
    steps: fn(&mut Rig) -> Next,
    expected: &'static str,
}

const ROWS: [Row; 12] = [
    Row { reason: CloseReason::Exit, framing: Framing::Line, steps: |rig| rig.send("exit\n"), expected: "" },
    Row { reason: CloseReason::EndOfInput, framing: Framing::Line, steps: Rig::end_input, expected: "" },
    Row {
        reason: CloseReason::Incomplete,
        framing: Framing::Line,
        steps: |rig| {
            rig.send("part");
            rig.end_input()
        },
        expected: "ERR incomplete\n",
    },
    Row {
        reason: CloseReason::TooLong,
        framing: Framing::Line,
        steps: |rig| rig.send("x".repeat(65_537)),
        expected: "ERR too-long max=65536\n",
    },
    Row {
        reason: CloseReason::TooLong,
        framing: Framing::Length,
        steps: |rig| rig.send([0, 1, 0, 1]),
        expected: "\0\0\0\x16ERR too-long max=65536",
    },
    Row {
        reason: CloseReason::Panicked,
        framing: Framing::Raw,
        steps: |rig| rig.send("panic"),
        expected: "ERR internal",
    },
    Row {
        reason: CloseReason::ReplyTooLong,
        framing: Framing::Line,
        steps: |rig| rig.send("too large\n"),
        expected: "ERR internal\n",
    },
    Row {
        reason: CloseReason::IdleTimeout,
        framing: Framing::Raw,
        steps: |rig| rig.pass(Duration::from_secs(300)),
        expected: "ERR timeout idle",
    },
    Row {
        reason: CloseReason::MessageTimeout,
        framing: Framing::Line,
        steps: |rig| {
            rig.send("part");
            rig.pass(Duration::from_secs(10))
        },
        expected: "ERR timeout message: no line end\n",
    },
    Row {
        reason: CloseReason::Stopping,
        framing: Framing::Line,
        steps: |rig| {
            rig.send("part");
            rig.connection.stop(0);
            rig.settle()
        },
        expected: "ERR shutting-down\n",
    },
    Row {
        reason: CloseReason::Cut,
        framing: Framing::Line,
        steps: |rig| {
            rig.connection.cut(&mut rig.out);
            rig.settle()
        },
        expected: "",
    },
    Row {
        reason: CloseReason::Lost,
        framing: Framing::Line,
        steps: |rig| {
            rig.connection.lost(&mut rig.out);
            rig.settle()
        },
        expected: "",
    },
];

#[test]
fn each_close_reason_has_its_final_output() {
    for Row { reason, framing, steps, expected } in ROWS {
        for blocking in [false, true] {
            let script = Script { blocking, ..Script::default() };
            let mut rig = Rig::scripted(script, framing, Limits::default());
            rig.settle();
            rig.heard();
            assert_eq!(steps(&mut rig), Next::Done(reason), "{reason} {framing:?}");
            assert_eq!(rig.heard(), expected, "{reason} {framing:?}");
            // Later events must have no effect.
            rig.send("more\n");
            rig.end_input();
            rig.connection.cut(&mut rig.out);
            assert_eq!(rig.settle(), Next::Done(reason));
            assert_eq!(rig.heard(), "");
            assert_eq!(*rig.script.closed.lock().unwrap(), [reason], "{framing:?}");
        }
    }
}
