//! Groups of clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Client, Flow, Framing, Group, Handler, MailboxFull, Replies, Service, Session};

use crate::cases::blocking::assert_answered;
use crate::cases::fairness::on_workers;
use crate::handlers::{IntoService, limited};
use crate::kernel;
use crate::remote::Remote;
use crate::subject::Subject;

pub(crate) fn pushes_to_a_group_arrive_once(subject: &Subject) {
    // Both ends of each connection are in this process, and some backends need several descriptors per connection.
    let count = (kernel::raise_descriptor_limit() / 8).min(1000);
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve(on_workers(2, remote.service(), subject));
    let mut idle: Vec<_> = (0..count).map(|_| server.connect_greeted()).collect();
    for message in ["first", "second", "third"] {
        assert_eq!(clients.group().send(message.as_bytes()), count);
        idle.iter_mut().for_each(|client| client.expect_reply(message));
    }
    for client in &mut idle {
        client.send_message("exit");
        client.expect_end();
    }
    let report = server.stop();
    assert_eq!((report.pushed, report.pushes_delivered), (3 * count as u64, 3 * count as u64));
}

pub(crate) fn pushes_to_a_group_skip_clients_that_have_left(subject: &Subject) {
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve(remote.service());
    let group = clients.group();
    for _ in 0..100 {
        let mut client = server.connect_greeted();
        let handle = clients.next_handle();
        assert_eq!(group.send(*b"push"), 1, "only one client is connected");
        client.expect_reply("push");
        assert!(!group.join(&handle), "it has joined already");
        client.send_message("exit");
        client.expect_end();
        assert_eq!((group.send(*b"push"), group.len()), (0, 0));
    }
    assert_eq!(server.stop().pushed, 100);
}

/// Two groups of clients. Each message that is pushed to a client of one group is pushed to all clients of the other.
struct TwoGroups {
    groups: [Arc<Group>; 2],
    opened: AtomicUsize,
}

struct Member {
    other: Arc<Group>,
    number: u64,
}

impl Handler for TwoGroups {
    fn open(&self, client: &Client, out: &mut Replies<'_>) -> Box<dyn Session> {
        let number = self.opened.fetch_add(1, Ordering::SeqCst) % 2;
        self.groups[number].join(&client.handle());
        out.send(b"hello");
        Box::new(Member { other: Arc::clone(&self.groups[1 - number]), number: 0 })
    }
}

impl Session for Member {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        self.number += 1;
        out.write(format_args!("{}:{}", self.number, String::from_utf8_lossy(message)));
        Flow::Continue
    }

    fn notified(&mut self, message: &[u8], _out: &mut Replies<'_>) -> Flow {
        self.other.send(message);
        Flow::Continue
    }
}

pub(crate) fn pushes_between_two_groups_are_bounded(subject: &Subject) {
    const CLIENTS: u64 = 4;
    const MAILBOX: usize = 16 * 1024;
    for full in [MailboxFull::Refuse, MailboxFull::DropOldest] {
        let groups: [Arc<Group>; 2] = Default::default();
        let handler = TwoGroups { groups: groups.clone(), opened: AtomicUsize::new(0) };
        let service = Service::framed(Arc::new(handler), Framing::Line);
        let server = subject.serve(limited(service, |limits| {
            (limits.mailbox, limits.mailbox_full) = (MAILBOX, full);
        }));
        let mut clients: Vec<_> = (0..CLIENTS).map(|_| server.connect_greeted()).collect();
        // Each push causes two others, until the mailboxes are full.
        assert_eq!(groups[0].send(*b"push"), 2);
        server
            .wait_for_statistics("the mailboxes are full", |now| now.pushes_refused + now.pushes_dropped > 0);
        clients.iter_mut().for_each(assert_answered);
        let now = server.statistics();
        let waiting = now.pushed - now.pushes_delivered - now.pushes_dropped - now.pushes_refused;
        assert!(waiting <= CLIENTS * MAILBOX as u64 / 64, "{waiting} messages wait in {CLIENTS} mailboxes");
        server.drain();
        clients.iter_mut().for_each(crate::client::Client::expect_end);
        server.report();
    }
}
