mod lease;

use anyloop::testing::TestClient;
use anyloop::{Address, Framing, Limits, Service};

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

#[test]
fn who_waits_is_told_none_when_the_server_stops() {
    let site = Site::default();
    let [mut one, mut two] = site.clients();
    one.say("take\ntake\nput a\ntake\n");
    two.say("take\n");
    one.stop();
    assert_eq!(one.heard(), "none\nnone\n1\nnone\n");
    assert_eq!((two.heard().as_str(), two.over()), ("1 a\n", None));
}
