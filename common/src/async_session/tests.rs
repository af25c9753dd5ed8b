//! Tests of sessions that answer by an `async fn`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::task::{Context, Wake};

use super::*;
use crate::testing::TestClient;
use crate::{CloseReason, Framing, Service};

/// Answers when it is let through.
struct Waits(Arc<Mutex<bool>>);

impl AsyncSession for Waits {
    async fn message(&mut self, message: &[u8]) -> Answer {
        match message {
            b"panic" => panic!("a session's panic"),
            b"bye" => Answer::Close(b"bye".to_vec()),
            _ => {
                poll_fn(|_| if *self.0.lock().unwrap() { Poll::Ready(()) } else { Poll::Pending }).await;
                message.to_vec().into()
            }
        }
    }

    fn stopping(message: &[u8]) -> Option<Answer> {
        message.starts_with(b"hasty").then(|| "stopping".into())
    }
}

/// Whether a task was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A client, the futures that answer it, and whether they may.
fn connect() -> (TestClient, std::sync::mpsc::Receiver<Answering>, Arc<Mutex<bool>>) {
    let (sender, spawned) = channel();
    let lets_through = Arc::new(Mutex::new(true));
    let shown = Arc::clone(&lets_through);
    let handler = AsyncHandler::new(
        move |_: &Client| Waits(Arc::clone(&shown)),
        move |answering| sender.send(answering).unwrap(),
    );
    let client = TestClient::connect(Service::framed(Arc::new(handler), Framing::Line));
    (client, spawned, lets_through)
}

fn poll(answering: &mut Answering) -> bool {
    answering.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[test]
fn messages_are_answered_one_after_the_other() {
    let (mut client, spawned, _) = connect();
    client.say("one\ntwo\nbye\nignored\n");
    for expected in ["one\n", "two\n", "bye\n"] {
        assert_eq!(client.heard(), "");
        assert!(poll(&mut spawned.try_recv().unwrap()));
        assert_eq!(client.heard(), expected);
    }
    assert_eq!(client.over(), Some(CloseReason::Exit));
}

#[test]
fn a_future_ends_when_its_client_is_gone() {
    let (mut client, spawned, lets_through) = connect();
    *lets_through.lock().unwrap() = false;
    client.say("one\n");
    let mut answering = spawned.try_recv().unwrap();
    assert!(!poll(&mut answering));
    drop(client);
    assert!(poll(&mut answering));
}

#[test]
fn a_stop_answers_at_once_what_would_take_too_long() {
    let (mut client, spawned, lets_through) = connect();
    *lets_through.lock().unwrap() = false;
    client.say("hasty one\nhasty two\nexact\n");
    let mut answering = spawned.try_recv().unwrap();
    let woken = Arc::new(Woken::default());
    assert!(answering.as_mut().poll(&mut Context::from_waker(&Arc::clone(&woken).into())).is_pending());
    client.stop();
    assert!(woken.0.load(Ordering::SeqCst), "its task is woken");
    assert!(poll(&mut answering));
    assert_eq!(client.heard(), "stopping\n");
    assert!(poll(&mut spawned.try_recv().unwrap()), "a message that had arrived before");
    assert_eq!(client.heard(), "stopping\n");
    let mut answering = spawned.try_recv().unwrap();
    assert!(!poll(&mut answering), "its answer is awaited");
    *lets_through.lock().unwrap() = true;
    assert!(poll(&mut answering));
    assert_eq!((client.heard().as_str(), client.over()), ("exact\n", Some(CloseReason::Stopping)));
}

#[test]
fn a_panic_and_a_dropped_future_end_the_conversation() {
    let (mut client, spawned, _) = connect();
    client.say("panic\n");
    let answering = spawned.try_recv().unwrap();
    assert!(crate::guarded(move || poll(&mut { answering })).is_none());
    assert_eq!((client.heard().as_str(), client.over()), ("ERR internal\n", Some(CloseReason::Unanswered)));

    let (mut client, spawned, _) = connect();
    client.say("one\n");
    drop(spawned.try_recv().unwrap());
    assert_eq!((client.heard().as_str(), client.over()), ("ERR internal\n", Some(CloseReason::Unanswered)));
}
