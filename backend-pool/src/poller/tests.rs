//! What every poller does.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use ::serving::Bell;

use super::*;

const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

fn wait<P: Poller>(poller: &P, timeout: Option<Duration>) -> Vec<Event> {
    let mut events = P::events();
    poller.wait(&mut events, timeout).expect("it waits").collect()
}

fn tells_of_clients_and_of_the_bell<P: Poller>() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let socket = Socket::from(listener.accept().unwrap().0);
    let bell = Bell::new().unwrap();
    let poller = P::new(&bell).unwrap();
    assert_eq!(wait(&poller, AT_ONCE), []);
    poller.add(&socket, 7).unwrap();
    assert_eq!(wait(&poller, None), [Event::Client { key: 7, more_behind: false }]);
    assert_eq!(wait(&poller, AT_ONCE), []);
    poller.rearm(&socket, 7, Wait::Readable).unwrap();
    assert_eq!(wait(&poller, AT_ONCE), []);
    client.write_all(b"x").unwrap();
    assert_eq!(wait(&poller, None), [Event::Client { key: 7, more_behind: false }]);
    assert_eq!(wait(&poller, AT_ONCE), []);
    poller.rearm(&socket, 7, Wait::Readable).unwrap();
    drop(client);
    assert!(matches!(wait(&poller, None)[..], [Event::Client { key: 7, .. }]));
    poller.remove(&socket);
    drop(socket);
    for _ in 0..2 {
        bell.ring();
        assert_eq!(wait(&poller, None), [Event::Wakeup]);
        bell.silence();
        assert_eq!(wait(&poller, AT_ONCE), []);
    }
}

fn each_who_waits_is_told_of_a_ring_of_its_own<P: Poller>() {
    let bell = Bell::new().unwrap();
    let poller = P::new(&bell).unwrap();
    let (sender, told) = channel();
    thread::scope(|scope| {
        for _ in 0..3 {
            let (sender, poller, bell) = (sender.clone(), &poller, &bell);
            scope.spawn(move || {
                let events = wait(poller, None);
                bell.silence();
                sender.send(events).unwrap();
            });
        }
        for _ in 0..3 {
            bell.ring();
            assert_eq!(told.recv_timeout(Duration::from_secs(10)), Ok(vec![Event::Wakeup]));
        }
    });
}

#[test]
fn the_systems_poller_tells_of_clients_and_of_the_bell() {
    tells_of_clients_and_of_the_bell::<System>();
    each_who_waits_is_told_of_a_ring_of_its_own::<System>();
}

#[test]
#[cfg(target_os = "linux")]
fn the_portable_poller_tells_of_clients_and_of_the_bell() {
    tells_of_clients_and_of_the_bell::<Portable>();
    each_who_waits_is_told_of_a_ring_of_its_own::<Portable>();
}
