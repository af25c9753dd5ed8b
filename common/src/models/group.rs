//! Groups, whose members join, leave and end while messages are sent.

use std::task::{Wake, Waker};

use super::*;
use crate::{Group, Handle, Limits, Record};

/// A client with a mailbox that has room for everything.
fn client() -> (Arc<Record>, Handle) {
    let record = Arc::new(Record::new(&Limits::default(), 0));
    (Arc::clone(&record), Handle::new(record, 0))
}

/// The messages in a mailbox.
fn messages(record: &Record) -> Vec<u8> {
    let mail = std::iter::from_fn(|| record.cell.next_mail());
    mail.filter_map(|mail| if let Mail::Push(message) = mail { Some(message[0]) } else { None }).collect()
}

/// Two threads send, while one member ends, one leaves and one joins. All members get the messages in the same order, what
/// was accepted is in the mailboxes, and the member that has ended is removed.
#[test]
fn members_come_and_go_while_others_send() {
    explore(|| {
        let group = Arc::new(Group::new());
        let [stays, ends, leaves, joins] = [(); 4].map(|()| client());
        [&stays, &ends, &leaves].into_iter().for_each(|(_, handle)| assert!(group.join(handle)));
        let sending = [b"1", b"2"].map(|message| {
            let group = Arc::clone(&group);
            thread::spawn(move || group.send(*message))
        });
        let ending = Arc::clone(&ends.0);
        let mut acting = vec![thread::spawn(move || ending.cell.leave())];
        let (room, handle) = (Arc::clone(&group), leaves.1.clone());
        acting.push(thread::spawn(move || assert!(room.leave(&handle))));
        let (room, handle) = (Arc::clone(&group), joins.1.clone());
        acting.push(thread::spawn(move || assert!(room.join(&handle))));
        let accepted: usize = sending.into_iter().map(|thread| thread.join().unwrap()).sum();
        acting.into_iter().for_each(|thread| thread.join().unwrap());

        let counts = ends.0.cell.push_counts();
        assert_eq!(counts.pushed, counts.dropped + counts.delivered + counts.refused, "{counts:?}");
        let [first, left, joined] = [&stays, &leaves, &joins].map(|(record, _)| messages(record));
        assert!(first == b"12" || first == b"21", "{first:?}");
        assert!(first.starts_with(&left), "{left:?} of {first:?}");
        assert!(first.ends_with(&joined), "{joined:?} of {first:?}");
        assert_eq!(accepted, first.len() + left.len() + joined.len() + counts.dropped as usize);
        assert_eq!((group.send(*b"3"), group.len()), (2, 2), "those that stay and that joined");
    });
}

/// A waker may use the group, since no lock of the group is held while it runs.
#[test]
fn a_waker_may_leave_the_group() {
    struct Leave(Arc<Group>, Handle);

    impl Wake for Leave {
        fn wake(self: Arc<Self>) {
            self.0.leave(&self.1);
        }
    }

    explore(|| {
        let group = Arc::new(Group::new());
        let (record, handle) = client();
        group.join(&handle);
        record.cell.register(&Waker::from(Arc::new(Leave(Arc::clone(&group), handle.clone()))));
        let other = Arc::clone(&group);
        let sending = thread::spawn(move || other.send(*b"1"));
        handle.close();
        sending.join().unwrap();
        assert!(group.is_empty());
    });
}

/// Groups of each other's members: whoever sends in one group and leaves another waits for nobody.
#[test]
fn senders_in_two_groups_do_not_wait_for_each_other() {
    explore(|| {
        let groups = [(); 2].map(|()| Arc::new(Group::new()));
        let clients = [(); 2].map(|()| client());
        groups.iter().for_each(|group| clients.iter().for_each(|(_, handle)| assert!(group.join(handle))));
        let threads = [0, 1].map(|number| {
            let (own, other) = (Arc::clone(&groups[number]), Arc::clone(&groups[1 - number]));
            let (record, handle) = (Arc::clone(&clients[number].0), clients[number].1.clone());
            thread::spawn(move || {
                own.send_to_others(&handle, *b"1");
                record.cell.leave();
                other.leave(&handle)
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(groups.map(|group| group.send(*b"2")), [0, 0]);
    });
}
