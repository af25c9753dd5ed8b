use anyloop::testing::TestClient;
use anyloop::{Address, CloseReason, Framing, Handle, Limits, MailboxFull, PublishError, Service};
use anyloop::{Subscriber, Subscription};

use super::*;
use crate::directory::MAX_LISTED;

/// A chat and its clients, which get their numbers in the order in which they connect.
struct Talk {
    directory: Arc<Directory>,
    service: Arc<Service>,
}

impl Talk {
    fn new(chat: Chat, framing: Framing, limits: Limits) -> Self {
        let directory = Arc::clone(&chat.0);
        let service = Service::framed(Arc::new(chat), framing).with_limits(limits);
        Self { directory, service: Arc::new(service) }
    }

    fn connect(&self) -> TestClient {
        TestClient::connect_as(Client::new(Address::Unknown), Arc::clone(&self.service))
    }

    /// Connects clients, all of whom have heard that the others are there.
    fn clients<const COUNT: usize>(&self) -> [TestClient; COUNT] {
        let mut clients = std::array::from_fn(|_| self.connect());
        clients.iter_mut().for_each(|client| drop(client.heard()));
        clients
    }
}

impl Default for Talk {
    fn default() -> Self {
        Self::new(Chat::default(), Framing::Line, Limits::default())
    }
}

const USAGE: &str = "/nick NAME, /join ROOM, /who and /quit are commands, any other line goes to the room\n";

#[test]
fn a_client_is_greeted_and_the_others_are_told() {
    let talk = Talk::default();
    let (mut first, mut second) = (talk.connect(), talk.connect());
    assert_eq!(
        first.heard(),
        format!("* you are guest-1; {USAGE}* you are in lobby, alone\n* guest-2 has joined\n")
    );
    assert_eq!(second.heard(), format!("* you are guest-2; {USAGE}* you are in lobby with guest-1\n"));
}

#[test]
fn a_line_is_heard_by_the_others_in_the_room_and_nobody_else() {
    let talk = Talk::default();
    let [mut ann, mut bob, mut eve] = talk.clients();
    ann.say("/nick Ann\n");
    eve.say("/join den\n");
    drop((ann.heard(), bob.heard(), eve.heard()));
    ann.say("hello\r\n  two  words\t\n");
    bob.say("grüß dich\n");
    assert_eq!(ann.heard(), "guest-2: grüß dich\n");
    assert_eq!(bob.heard(), "Ann: hello\nAnn:   two  words\t\n");
    assert_eq!(eve.heard(), "");
    assert_eq!((ann.messages(), bob.messages()), (3, 1));
}

#[test]
fn who_comes_and_goes_is_told_and_why() {
    let talk = Talk::default();
    let [mut ann, bob, mut eve, mut dan, fay] = talk.clients();
    eve.say("/join den\n");
    assert_eq!(eve.heard(), "* you are in den, alone\n");
    eve.say("/join LOBBY\n");
    assert_eq!(eve.heard(), "* you are in lobby with guest-1, guest-2, guest-4, guest-5\n");
    eve.say("/quit\nignored\n");
    assert_eq!((eve.heard().as_str(), eve.over()), ("* bye\n", Some(CloseReason::Exit)));
    dan.advance(Limits::default().idle_timeout.unwrap());
    let mut gone = bob;
    gone.end();
    fay.handle().close();
    drop(fay);
    let expected = "* guest-3 has left\n* guest-3 has joined\n* guest-3 has left\n\
        * guest-4 has left (idle timeout)\n* guest-2 has left\n";
    let heard = ann.heard();
    assert!(heard.starts_with(expected), "{heard}");
    assert!(heard.trim_start_matches(expected).starts_with("* guest-5 has left"), "{heard}");
    ann.say("/who\n");
    assert_eq!(ann.heard(), "* in lobby: guest-1\n");
}

#[test]
fn a_name_is_unique_and_free_again_when_its_member_has_left_or_renamed() {
    let talk = Talk::default();
    let [mut ann, mut bob] = talk.clients();
    ann.say("/nick ann\n");
    assert_eq!(
        (ann.heard().as_str(), bob.heard().as_str()),
        ("* you are now ann\n", "* guest-1 is now ann\n")
    );
    bob.say("/join den\n/nick ANN\n");
    assert_eq!(bob.heard(), "* you are in den, alone\nERR name-taken: ANN; choose another\n");
    assert_eq!(ann.heard(), "* guest-2 has left\n");
    ann.say("/nick Ann\n/nick anna\n");
    assert_eq!(ann.heard(), "* you are now Ann\n* you are now anna\n");
    bob.say("/nick ann\n/nick anna\n");
    assert_eq!(bob.heard(), "* you are now ann\nERR name-taken: anna; choose another\n");
    ann.end();
    bob.say("/nick anna\n/who\n");
    assert_eq!(bob.heard(), "* you are now anna\n* in den: anna\n");
    assert_eq!(talk.directory.size(), (1, 1));
}

#[test]
fn bad_lines_are_answered_with_one_line_and_the_conversation_goes_on() {
    let [mut ann, mut bob] = Talk::default().clients();
    let commands = "write /nick NAME, /join ROOM, /who or /quit, or a blank before the line";
    for (line, expected) in [
        (&b""[..], "empty-line: write something, or /quit to leave".to_owned()),
        (b" \t ", "empty-line: write something, or /quit to leave".to_owned()),
        (b"\xff", "not-utf8".to_owned()),
        (b"/nick \xff", "not-utf8".to_owned()),
        (b"\x1b[2J", "control-character: a line is text without them".to_owned()),
        (b"a\rb", "control-character: a line is text without them".to_owned()),
        ("\u{9b}2J".as_bytes(), "control-character: a line is text without them".to_owned()),
        (b"/", format!("unknown-command: /; {commands}")),
        (b"/WHO", format!("unknown-command: /WHO; {commands}")),
        (b"/usr/bin/very/long/path", format!("unknown-command: /usr/bin/very/long/p; {commands}")),
        (b"/who den", "bad-command: write /who alone".to_owned()),
        (b"/quit now", "bad-command: write /quit alone".to_owned()),
        (b"/nick", "bad-name: a name has 1 to 20 characters, and this one has 0".to_owned()),
        (
            b"/nick 123456789012345678901",
            "bad-name: a name has 1 to 20 characters, and this one has 21".to_owned(),
        ),
        (b"/nick a b", "bad-name: a name has letters, digits, - and _, and this one has ` `".to_owned()),
        (b"/nick Guest-9", "bad-name: only the server gives names that begin with guest-".to_owned()),
        (b"/join", "bad-room: a name has 1 to 20 characters, and this one has 0".to_owned()),
        (b"/join #den", "bad-room: a name has letters, digits, - and _, and this one has `#`".to_owned()),
        (
            b"/join 123456789012345678901",
            "bad-room: a name has 1 to 20 characters, and this one has 21".to_owned(),
        ),
        (b"/join Lobby", "same-room: you are in Lobby".to_owned()),
    ] {
        ann.say([line, b"\n"].concat());
        assert_eq!(ann.heard(), format!("ERR {expected}\n"), "{}", line.escape_ascii());
    }
    assert_eq!((ann.over(), bob.heard().as_str()), (None, ""));
    for name in ["1234567890123456789", "12345678901234567890"] {
        ann.say(format!("/nick {name}\n/join {name}\n/join lobby\n"));
        assert!(ann.heard().starts_with(&format!("* you are now {name}\n* you are in {name}, alone\n")));
    }
    bob.heard();
    ann.say(" /usr/bin\n");
    assert_eq!(bob.heard(), "12345678901234567890:  /usr/bin\n");
}

#[test]
fn a_full_room_is_not_entered_and_a_member_may_be_in_none() {
    let talk = Talk::new(Chat::new(NonZeroUsize::new(2).unwrap()), Framing::Line, Limits::default());
    let [mut ann, mut bob] = talk.clients();
    let mut eve = talk.connect();
    let full = "ERR room-full: lobby max=2; write /join and another room\n";
    assert_eq!(eve.heard(), format!("* you are guest-3; {USAGE}{full}"));
    eve.say("hello\n/who\n/nick eve\n/join lobby\n");
    let expected =
        "ERR no-room: nobody hears it; write /join ROOM first\n* you are in no room\n* you are now eve\n";
    assert_eq!(eve.heard(), format!("{expected}{full}"));
    assert_eq!((ann.heard(), bob.heard()), (String::new(), String::new()));
    ann.say("/join den\n");
    eve.say("/join lobby\n");
    ann.say("/join lobby\nhello\n/who\n");
    assert_eq!(ann.heard(), format!("* you are in den, alone\n{full}* in den: guest-1\n"));
    assert_eq!(eve.heard(), "* you are in lobby with guest-2\n");
    assert_eq!(bob.heard(), "* guest-1 has left\n* eve has joined\n");
}

#[test]
fn rooms_vanish_with_their_last_members() {
    let talk = Talk::default();
    let [mut ann, mut bob] = talk.clients();
    for number in 0..1000 {
        ann.say(format!("/join room-{number}\n"));
        bob.say(format!("/join room-{number}\n"));
    }
    assert_eq!(talk.directory.size(), (2, 1));
    drop((ann, bob));
    assert_eq!(talk.directory.size(), (0, 0));
}

#[test]
fn a_long_list_of_members_ends() {
    let talk = Talk::default();
    let mut clients: Vec<_> = (0..MAX_LISTED).map(|_| talk.connect()).collect();
    let mut list = || {
        clients[0].heard();
        clients[0].say("/who\n");
        clients[0].heard()
    };
    let all = list();
    assert!(all.matches("guest-").count() == MAX_LISTED && all.ends_with("guest-99\n"), "{all}");
    let [_one, _two] = talk.clients();
    let some = list();
    assert!(some.matches("guest-").count() == MAX_LISTED && some.ends_with(" and 2 more\n"), "{some}");
}

#[test]
fn lines_of_a_room_that_was_left_are_not_heard() {
    let [mut ann, mut bob] = Talk::default().clients();
    ann.say("before\n");
    bob.say("/join den\n");
    ann.say("after\n/join den\nin den\n");
    let heard = bob.heard();
    let (_, after) = heard.split_once("* you are in den, alone\n").unwrap();
    assert_eq!(after, "* guest-1 has joined\nguest-1: in den\n");
}

#[test]
fn a_member_who_is_too_slow_is_treated_by_the_policy() {
    let limits = Limits::default().with_mailbox(300); // three of the lines, each with 6 and 64 bytes
    for (policy, expected) in [
        (MailboxFull::Close, ""),
        (MailboxFull::Refuse, "guest-1: 11\nguest-1: 12\nguest-1: 13\n"),
        (MailboxFull::DropOldest, "* you have missed 3 lines\nguest-1: 14\nguest-1: 15\nguest-1: 16\n"),
    ] {
        let talk = Talk::new(Chat::default(), Framing::Line, limits.with_mailbox_full(policy));
        let [mut ann, mut slow, mut bob] = talk.clients();
        for number in 11..17 {
            ann.say(format!("{number}\n"));
            assert_eq!(bob.heard(), format!("guest-1: {number}\n"));
        }
        assert_eq!(slow.heard(), expected, "{policy}");
        let (over, told) = match policy {
            MailboxFull::Close => (Some(CloseReason::MailboxFull), "* guest-2 has left (mailbox full)\n"),
            _ => (None, ""),
        };
        assert_eq!((slow.over(), bob.heard().as_str(), ann.heard().as_str()), (over, told, told), "{policy}");
    }
}

/// A chat that shares an exchange with others, as in another process.
fn another_process(exchange: &LocalExchange, max_members: NonZeroUsize) -> Talk {
    let chat = Chat::across_processes(max_members, Arc::new(exchange.clone()));
    Talk::new(chat, Framing::Line, Limits::default())
}

#[test]
fn a_room_is_one_in_all_processes_and_names_and_lists_are_of_one() {
    let exchange = LocalExchange::new();
    let [here, there] = std::array::from_fn(|_| another_process(&exchange, NonZeroUsize::MIN));
    let [mut ann] = here.clients();
    let [mut bob] = there.clients();
    let joined = ann.heard();
    let guest = joined.strip_prefix("* ").and_then(|rest| rest.strip_suffix(" has joined\n")).unwrap();
    assert!(guest.starts_with("guest-") && guest.ends_with("-1") && guest.len() == 12, "{guest}");
    ann.say("/nick ann\nhello\n/join DEN\n");
    let heard = bob.heard();
    assert!(heard.ends_with("-1 is now ann\nann: hello\n* ann has left\n"), "{heard}");
    bob.say("/nick ann\n/nick bob\n/who\n/join den\nhi\n");
    let expected = "* you are now ann\n* you are now bob\n* in lobby on this server: bob\n\
        * you are in den, alone on this server\n";
    assert_eq!(bob.heard(), expected);
    assert!(ann.heard().ends_with("* you are in DEN, alone on this server\n* bob has joined\nbob: hi\n"));
    drop((ann, bob));
    assert_eq!((here.directory.size(), exchange.subscribed_channels().len()), ((0, 0), 0));
}

/// An exchange that has lost the other processes.
#[derive(Debug)]
struct Lost(LocalExchange);

impl Exchange for Lost {
    fn publish(&self, channel: &str, message: Arc<[u8]>) -> Result<(), PublishError> {
        self.0.publish(channel, message).and(Err(PublishError::Unreachable))
    }

    fn publish_to_others(
        &self,
        client: &Handle,
        channel: &str,
        message: Arc<[u8]>,
    ) -> Result<(), PublishError> {
        self.0.publish_to_others(client, channel, message).and(Err(PublishError::Unreachable))
    }

    fn subscribe(&self, channel: &str, subscriber: Arc<dyn Subscriber>) -> Subscription {
        self.0.subscribe(channel, subscriber)
    }

    fn is_ready(&self) -> bool {
        false
    }
}

#[test]
fn who_says_a_line_that_other_processes_do_not_get_is_told_once() {
    let chat = Chat::across_processes(Chat::MAX_MEMBERS, Arc::new(Lost(LocalExchange::new())));
    let [mut ann, mut bob] = Talk::new(chat, Framing::Line, Limits::default()).clients();
    let error = "ERR not-exchanged: other processes don't get the message: there is no connection to them\n";
    ann.say("/nick ann\nhello\n/who\n/join den\n");
    let heard = ann.heard();
    let expected = format!("* you are now ann\n{error}{error}* in lobby on this server: ann, guest-");
    assert!(heard.starts_with(&expected), "{heard}");
    assert!(heard.ends_with(&format!("* you are in den, alone on this server\n{error}")), "{heard}");
    assert_eq!(heard.matches(error).count(), 3);
    let heard = bob.heard();
    assert!(
        heard.ends_with(" is now ann\nann: hello\n* ann has left\n") && !heard.contains("ERR"),
        "{heard}"
    );
}

#[test]
fn without_a_framing_line_ends_are_no_part_of_a_line() {
    let talk = Talk::new(Chat::default(), Framing::Raw, Limits::default());
    let [mut ann, mut bob] = talk.clients();
    ann.say("hello\r\n");
    assert_eq!(bob.heard(), "guest-1: hello");
    ann.say("/quit\n");
    assert_eq!(ann.heard(), "* bye");
}

#[test]
fn members_are_told_of_a_stop() {
    let [mut ann] = Talk::default().clients();
    ann.stop();
    assert_eq!(
        (ann.heard().as_str(), ann.over()),
        ("* the server is stopping\n", Some(CloseReason::Stopping))
    );
}
