use std::sync::Mutex;
use std::time::Instant;

use anyloop::testing::TestClient;
use anyloop::{Address, CloseReason, Flow, Framing, Later, Limits, Service};

use super::*;
use crate::jobs::Size;

/// A queue and its clients.
struct Site {
    jobs: Arc<Jobs>,
    service: Arc<Service>,
}

impl Site {
    fn new(bounds: Bounds, framing: Framing, limits: Limits) -> Self {
        let queue = Queue::new(bounds);
        let jobs = Arc::clone(&queue.0);
        let service = Service::framed(Arc::new(queue), framing).with_limits(limits);
        Self { jobs, service: Arc::new(service) }
    }

    fn clients<const COUNT: usize>(&self) -> [TestClient; COUNT] {
        std::array::from_fn(|_| {
            TestClient::connect_as(Client::new(Address::Unknown), Arc::clone(&self.service))
        })
    }

    fn size(&self) -> (usize, usize, usize) {
        let Size { waiting, taken, takers } = self.jobs.size();
        (waiting, taken, takers)
    }
}

impl Default for Site {
    fn default() -> Self {
        Self::new(Bounds::default(), Framing::Line, Limits::default().with_idle_timeout(None))
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn jobs_are_taken_in_the_order_in_which_they_were_put() {
    let site = Site::default();
    let [mut user, mut worker] = site.clients();
    user.say("put one\nput  two  words \r\nput three\nsize\n");
    assert_eq!(user.heard(), "1\n2\n3\nwaiting=3 taken=0 takers=0\n");
    worker.say("take\ntake\nsize\ndone 1\ndone 2\nsize\n");
    assert_eq!(
        worker.heard(),
        "1 one\n2 two  words\nwaiting=1 taken=2 takers=0\nok\nok\nwaiting=1 taken=0 takers=0\n"
    );
}

#[test]
fn who_waits_gets_a_job_in_the_order_of_asking_and_reads_nothing_before() {
    let site = Site::default();
    let [mut user, mut one, mut two] = site.clients();
    one.say("take\nsize\n");
    two.say("take\n");
    assert_eq!((one.heard(), two.heard(), site.size()), (String::new(), String::new(), (0, 0, 2)));
    user.say("put a\n");
    assert_eq!((one.heard(), two.heard()), ("1 a\nwaiting=0 taken=1 takers=1\n".into(), String::new()));
    one.say("take\n");
    user.say("put b\nput c\n");
    assert_eq!((one.heard().as_str(), two.heard().as_str()), ("3 c\n", "2 b\n"));
}

#[test]
fn a_worker_may_put_a_job_that_it_takes_later_and_finish_only_what_it_has() {
    let site = Site::default();
    let [mut one, mut two] = site.clients();
    one.say("put a\ntake\n");
    assert_eq!(one.heard(), "1\n1 a\n");
    let not_taken = "ERR not-taken: you do not have job 1; its lease may have ended\n";
    two.say("done 1\n");
    assert_eq!(two.heard(), not_taken);
    one.say("done 1\ndone 1\n");
    assert_eq!(one.heard(), format!("ok\n{not_taken}"));
}

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
fn the_lease_of_a_job_that_came_late_ends_while_its_worker_waits_for_another() {
    let limits = Limits::default().with_answer_timeout(1000 * SECOND).with_idle_timeout(None);
    let site = Site::new(Bounds::default(), Framing::Line, limits);
    let [mut user, mut worker] = site.clients();
    worker.say("take\ntake\n");
    for client in [&mut worker, &mut user] {
        client.advance(100 * SECOND);
    }
    user.say("put a\n");
    assert_eq!((worker.heard().as_str(), site.size()), ("1 a\n", (0, 1, 1)));
    worker.advance(29 * SECOND);
    assert_eq!((worker.heard().as_str(), site.size()), ("", (0, 1, 1)));
    worker.advance(2 * SECOND);
    assert_eq!(worker.heard(), "1 a\n", "the worker itself is the next one who waits");
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

#[test]
fn bad_lines_are_answered_and_the_conversation_goes_on() {
    let bounds = Bounds { max_text: 3, max_jobs: 2, ..Bounds::default() };
    let site = Site::new(bounds, Framing::Line, Limits::default());
    let [mut client] = site.clients();
    let unknown = "unknown-command: write put TEXT, take, done NUMBER or size";
    let bad_number = "bad-number: write done NUMBER, with the number that take has returned";
    for (line, expected) in [
        (&b""[..], unknown),
        (b"PUT a", unknown),
        (b"take 1", unknown),
        (b"size 1", unknown),
        (b"\xff", unknown),
        (b"put", "empty-job: write put TEXT"),
        (b"put  ", "empty-job: write put TEXT"),
        (b"put 1234", "job-too-long: its text has 4 bytes, and may have 3"),
        (b"done", bad_number),
        (b"done -1", bad_number),
        (b"done \xff", bad_number),
        (b"done 18446744073709551616", bad_number),
        (b"done 1", "not-taken: you do not have job 1; its lease may have ended"),
    ] {
        client.say([line, b"\n"].concat());
        assert_eq!(client.heard(), format!("ERR {expected}\n"), "{}", line.escape_ascii());
    }
    let full = "ERR queue-full: max=2; put it again when a job is done";
    client.say("put 123\nput b\nput c\ntake\nput c\ndone 1\nput c\n");
    assert_eq!(client.heard(), format!("1\n2\n{full}\n1 123\n{full}\nok\n3\n"));
}

#[test]
fn without_a_framing_line_ends_are_no_part_of_a_job() {
    let site = Site::new(Bounds::default(), Framing::Raw, Limits::default());
    let [mut client] = site.clients();
    client.say("put a\r\n");
    client.say("take\n");
    assert_eq!(client.heard(), "11 a");
}
