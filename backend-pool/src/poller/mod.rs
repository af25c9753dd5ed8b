//! Who is ready.
//!
//! On Linux this is epoll itself: an interest in edges is registered once for the whole life of a client, and
//! a look costs one call. The `polling` crate, which does it elsewhere, renews an interest with a call for
//! each message, and makes four calls for each wait.

#[cfg(target_os = "linux")]
mod epoll;
#[cfg(not(target_os = "linux"))]
mod portable;

#[cfg(target_os = "linux")]
pub(crate) use epoll::{Events, Poller};
#[cfg(not(target_os = "linux"))]
pub(crate) use portable::{Events, Poller};

/// What a poller tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The client in this place is ready. With `more_behind`, the end of its input or urgent data have come, which may
    /// not be told of again.
    Client { place: usize, more_behind: bool },
    /// The bell rings.
    Bell,
}

/// How long a look may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// Until something happens.
    Event,
    /// No time at all.
    Now,
}

/// What a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    Input,
    Output,
    /// Nothing that the poller could tell of.
    None,
}

/// So many are told of at once: the more, the fewer looks; and the fewer, the sooner the others hear of them.
const MOST: usize = 64;

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    use common::Bell;

    use super::*;

    fn look(poller: &Poller, until: Until) -> Vec<Event> {
        let mut events = Events::new();
        poller.wait(&mut events, until).expect("it looks");
        events.iter().collect()
    }

    #[test]
    fn a_client_is_told_of_at_once_and_then_when_something_happens() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let socket = listener.accept().unwrap().0;
        let bell = Bell::new().unwrap();
        let poller = Poller::new(&bell).unwrap();
        assert_eq!(look(&poller, Until::Now), []);
        poller.add(&socket, 7).unwrap();
        assert_eq!(look(&poller, Until::Event), [Event::Client { place: 7, more_behind: false }]);
        assert_eq!(look(&poller, Until::Now), []);
        poller.renew(&socket, 7, Interest::Input).unwrap();
        assert_eq!(look(&poller, Until::Now), []);
        client.write_all(b"x").unwrap();
        assert_eq!(look(&poller, Until::Event), [Event::Client { place: 7, more_behind: false }]);
        assert_eq!(look(&poller, Until::Now), []);
        poller.renew(&socket, 7, Interest::Input).unwrap();
        drop(client);
        assert!(matches!(look(&poller, Until::Event)[..], [Event::Client { place: 7, .. }]));
        poller.remove(&socket);
        drop(socket);
        for _ in 0..2 {
            bell.ring();
            assert_eq!(look(&poller, Until::Event), [Event::Bell]);
            bell.silence();
            assert_eq!(look(&poller, Until::Now), []);
        }
    }
}
