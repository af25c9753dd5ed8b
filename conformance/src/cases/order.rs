//! Replies arrive in order, complete, and at the client whose message they answer.

use std::thread;

use common::{CloseReason, Framing};
use fastrand::Rng;

use crate::framing::encode;
use crate::handlers::{IntoService, Scripted, limited};
use crate::oracle::expected_output;
use crate::subject::Subject;

pub(crate) fn greets(subject: &Subject) {
    let server = subject.serve(Scripted::new().service());
    let mut client = server.connect();
    client.expect_reply("hello");
    client.send_message("exit");
    client.expect_end();
    assert_eq!(server.stop().reason(CloseReason::Exit), 1);

    let server = subject.serve(Scripted::new().service_in(Framing::Length));
    server.connect_in(Framing::Length).expect_reply("hello");
}

pub(crate) fn replies_in_order(subject: &Subject) {
    let server = subject.serve(Scripted::new().service());
    let mut client = server.connect_greeted();
    for number in 1..=200 {
        client.send_message(format!("message {number}"));
        client.expect_reply(format!("{number}:message {number}"));
    }
    client.send_message("exit");
    client.expect_end();
    assert_eq!(server.stop().messages, 201);
}

pub(crate) fn replies_in_order_when_pipelined(subject: &Subject) {
    let server = subject.serve(Scripted::new().service());
    let mut client = server.connect_greeted();
    pipelined(&mut client, 5000);
    client.send_message("exit");
    client.expect_end();
}

/// Sends this number of messages without waiting, and checks all replies.
pub(crate) fn pipelined(client: &mut crate::client::Client, count: usize) {
    let mut sender = client.duplicate();
    thread::scope(|scope| {
        scope.spawn(move || {
            let messages: Vec<_> = (1..=count).map(|number| format!("message {number}\n")).collect();
            // If the server does not read all of them, the check of the replies fails.
            let _ = sender.try_send(messages.concat());
        });
        for number in 1..=count {
            client.expect_reply(format!("{number}:message {number}"));
        }
    });
}

pub(crate) fn any_number_of_replies_per_message(subject: &Subject) {
    let server = subject.serve(Scripted::new().service());
    let mut client = server.connect_greeted();
    client.send("no-reply\ntriple\none\nno-reply\nno-reply\ntriple\nexit\n");
    for reply in ["2:triple", "2:triple", "2:triple", "3:one", "6:triple", "6:triple", "6:triple"] {
        client.expect_reply(reply);
    }
    client.expect_end();
}

pub(crate) fn each_client_has_its_own_session(subject: &Subject) {
    let server = subject.serve(Scripted::new().service());
    let mut clients: Vec<_> = (0..5).map(|_| server.connect_greeted()).collect();
    for round in 1..=20 {
        for (index, client) in clients.iter_mut().enumerate() {
            client.send_message(format!("from {index}"));
            if index % 2 == 0 {
                client.expect_reply(format!("{round}:from {index}"));
            }
        }
        for (index, client) in clients.iter_mut().enumerate().filter(|(index, _)| index % 2 == 1) {
            client.expect_reply(format!("{round}:from {index}"));
        }
    }
}

/// The environment variable with a seed that was reported, to repeat a failed conversation.
const SEED: &str = "ANYLOOP_CONFORMANCE_SEED";

pub(crate) fn random_conversations_match_the_oracle(subject: &Subject) {
    let given = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok());
    for _ in 0..30 {
        let seed = given.unwrap_or_else(|| fastrand::u64(..));
        with_seed_reported(seed, || random_conversation(subject, &mut Rng::with_seed(seed)));
    }
}

fn with_seed_reported(seed: u64, case: impl FnOnce()) {
    if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(case)) {
        std::panic::resume_unwind(match panic.downcast::<String>() {
            Ok(text) => Box::new(format!("{text}; {SEED}={seed}")),
            Err(panic) => panic,
        });
    }
}

fn random_conversation(subject: &Subject, rng: &mut Rng) {
    let framing = if rng.bool() { Framing::Line } else { Framing::Length };
    let script = if rng.bool() { Scripted::new() } else { Scripted::new().may_block() };
    let max_message = rng.usize(40..400);
    let service = limited(script.service_in(framing), |limits| {
        limits.max_message = max_message;
        limits.max_reply = 4000;
    });
    let input: Vec<u8> = (0..rng.usize(0..300)).flat_map(|_| any_message(framing, rng)).collect();
    let input = &input[..input.len() - rng.usize(0..=input.len().min(3))];
    let (predicted, reason) = expected_output(service.clone(), input);

    let server = subject.serve(service);
    let mut client = server.connect_in(framing);
    let mut sender = client.duplicate();
    let received = thread::scope(|scope| {
        scope.spawn(|| {
            let mut rest = input;
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at(rng.usize(1..=rest.len().min(2000)));
                // Sending fails if the conversation has ended early, as the oracle may predict.
                if sender.try_send(piece).is_err() {
                    return;
                }
                rest = behind;
            }
            sender.try_end_input();
        });
        client.read_to_end()
    });
    assert!(
        received == predicted,
        "the oracle predicted {} bytes, and {} were received",
        predicted.len(),
        received.len()
    );
    assert_eq!(server.stop().reason(reason), 1, "{reason}");
}

fn any_message(framing: Framing, rng: &mut Rng) -> Vec<u8> {
    let message = match rng.u32(0..400) {
        0 => b"exit".to_vec(),
        1 => b"panic".to_vec(),
        2 => b"big 5000".to_vec(),
        3 => vec![b'x'; 400],
        4 => b"last 3000".to_vec(),
        5..50 => b"triple".to_vec(),
        50..100 => b"no-reply".to_vec(),
        100..150 => format!("big {}", rng.u32(0..3000)).into_bytes(),
        150..200 => (0..rng.usize(0..30)).map(|_| rng.u8(..)).collect(),
        _ => (0..rng.usize(0..40)).map(|_| rng.alphanumeric()).collect::<String>().into_bytes(),
    };
    encode(framing, &message)
}
