//! Jobs that return to the queue: leases that end, workers that leave, and takers that are gone.

use std::sync::Mutex;
use std::time::Instant;

use anyloop::{CloseReason, Flow, Later};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_job_that_is_not_done_within_its_lease_returns_to_the_front() {
    let site = Site::default();
    let [mut user, mut slow, mut other] = site.clients();
    user.say("put a\nput b\nput c\n");
    slow.say("take\n");
    slow.advance(20 * SECOND);
    slow.say("take\n");
    slow.advance(9 * SECOND);
    assert_eq!((site.size(), slow.heard().as_str()), ((1, 2, 0), "1 a\n2 b\n"));
    slow.advance(SECOND);
    assert_eq!(site.size(), (2, 1, 0));
    other.say("take\n");
    assert_eq!(other.heard(), "1 a\n");
    slow.say("done 1\ndone 2\n");
    assert_eq!(slow.heard(), "ERR not-taken: you do not have job 1; its lease may have ended\nok\n");
    other.say("done 1\n");
    other.advance(60 * SECOND);
    assert_eq!((site.size(), other.heard().as_str()), ((1, 0, 0), "ok\n"));
}

#[test]
fn jobs_whose_leases_end_together_keep_their_order_and_go_to_who_waits() {
    let site = Site::default();
    let [mut user, mut slow, mut other] = site.clients();
    user.say("put a\nput b\n");
    slow.say("take\ntake\n");
    other.say("take\n");
    slow.advance(30 * SECOND);
    assert_eq!((other.heard().as_str(), site.size()), ("1 a\n", (1, 1, 0)));
    other.say("take\n");
    assert_eq!(other.heard(), "2 b\n");
}

#[test]
fn the_lease_of_a_job_that_came_late_ends_whether_its_worker_waits_for_another_or_not() {
    for (asked, heard, size) in [("take\n", "", (1, 0, 0)), ("take\ntake\n", "1 a\n", (0, 1, 0))] {
        let limits = Limits::default().with_answer_timeout(1000 * SECOND).with_idle_timeout(None);
        let site = Site::new(Bounds::default(), Framing::Line, limits);
        let [mut user, mut worker] = site.clients();
        worker.say(asked);
        for client in [&mut worker, &mut user] {
            client.advance(100 * SECOND);
        }
        user.say("put a\n");
        assert_eq!(worker.heard(), "1 a\n");
        worker.advance(29 * SECOND);
        assert_eq!((worker.heard().as_str(), site.size().1), ("", 1));
        worker.advance(2 * SECOND);
        assert_eq!((worker.heard().as_str(), site.size()), (heard, size), "{asked}");
    }
}

#[test]
fn the_jobs_of_who_leaves_return_to_the_front_and_go_to_who_waits() {
    let site = Site::default();
    let [mut user, leaver, mut one, mut two] = site.clients();
    user.say("put a\nput b\n");
    let mut leaver = leaver;
    leaver.say("take\ntake\n");
    one.say("take\n");
    two.say("take\n");
    leaver.end();
    assert_eq!((one.heard().as_str(), two.heard().as_str()), ("1 a\n", "2 b\n"));
    drop(one);
    assert_eq!(site.size(), (1, 1, 0));
}

#[test]
fn many_who_leave_tell_a_taker_once() {
    let limits = Limits::default().with_mailbox(64); // one push without text
    let site = Site::new(Bounds::default(), Framing::Line, limits);
    let [mut user, mut taker] = site.clients();
    let mut leavers: [_; 3] = site.clients();
    for leaver in &mut leavers {
        user.say("put a\n");
        leaver.say("take\n");
    }
    taker.say("take\n");
    drop(leavers);
    assert_eq!((taker.heard().as_str(), taker.over(), site.size()), ("3 a\n", None, (2, 1, 0)));
}

#[test]
fn a_taker_whose_mailbox_has_no_room_gets_the_job_of_who_leaves_within_a_lease() {
    let limits = Limits::default().with_mailbox(63).with_answer_timeout(100 * SECOND);
    let site = Site::new(Bounds::default(), Framing::Line, limits);
    let [mut leaver, mut taker] = site.clients();
    leaver.say("put a\ntake\n");
    taker.say("take\n");
    drop(leaver);
    assert_eq!((taker.heard().as_str(), taker.over(), site.size()), ("", None, (1, 0, 1)));
    taker.advance(30 * SECOND);
    assert_eq!((taker.heard().as_str(), site.size()), ("1 a\n", (0, 1, 0)));
}

#[test]
fn a_taker_that_has_left_or_waited_too_long_loses_no_job() {
    let site = Site::default();
    let [mut user, mut late, mut left, mut last] = site.clients();
    late.say("take\n");
    left.say("take\n");
    last.say("take\n");
    late.advance(Limits::default().answer_timeout);
    assert_eq!(late.heard(), "ERR timeout answer\n");
    assert_eq!(late.over(), Some(CloseReason::AnswerTimeout));
    drop(left);
    assert_eq!(site.size(), (0, 0, 1));
    user.say("put a\n");
    assert_eq!(last.heard(), "1 a\n");
}

/// Keeps the answer to a message.
#[derive(Clone, Default)]
struct Keeper(Arc<Mutex<Option<Later>>>);

impl Handler for Keeper {
    fn open(&self, _client: &Client, _out: &mut Replies<'_>) -> Box<dyn Session> {
        Box::new(self.clone())
    }
}

impl Session for Keeper {
    fn message(&mut self, _message: &[u8], out: &mut Replies<'_>) -> Flow {
        *self.0.lock().unwrap() = Some(out.later());
        Flow::Continue
    }
}

/// Between the end of the answer's timeout and the end of the session, the queue still counts the taker.
#[test]
fn an_answer_that_is_gone_gives_the_job_to_the_next_taker() {
    let site = Site::default();
    let [mut user, mut last] = site.clients();
    let keeper = Keeper::default();
    let mut gone = TestClient::connect(Service::framed(Arc::new(keeper.clone()), Framing::Line));
    gone.say("take\n");
    gone.advance(Limits::default().answer_timeout);
    let answer = keeper.0.lock().unwrap().take().unwrap();
    assert!(answer.is_gone());
    site.jobs.wait(site.jobs.add_worker(), gone.handle(), answer, Instant::now());
    last.say("take\n");
    assert_eq!(site.size(), (0, 0, 2));
    user.say("put a\n");
    assert_eq!((last.heard().as_str(), site.size()), ("1 a\n", (0, 1, 0)));
}
