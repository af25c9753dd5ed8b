//! What every poller does.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use ::serving::Bell;

use super::*;

fn look<P: Poller>(poller: &P, until: Until) -> Vec<Event> {
    let mut events = P::events();
    poller.wait(&mut events, until).expect("it looks");
    P::told(&events).collect()
}

fn tells_of_clients_and_of_the_bell<P: Poller>() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let socket = listener.accept().unwrap().0;
    let bell = Bell::new().unwrap();
    let poller = P::new(&bell).unwrap();
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

fn each_who_waits_is_told_of_a_ring_of_its_own<P: Poller>() {
    let bell = Bell::new().unwrap();
    let poller = P::new(&bell).unwrap();
    let (sender, told) = channel();
    thread::scope(|scope| {
        for _ in 0..3 {
            let (sender, poller, bell) = (sender.clone(), &poller, &bell);
            scope.spawn(move || {
                let events = look(poller, Until::Event);
                bell.silence();
                sender.send(events).unwrap();
            });
        }
        for _ in 0..3 {
            bell.ring();
            assert_eq!(told.recv_timeout(Duration::from_secs(10)), Ok(vec![Event::Bell]));
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
