//! Tests of both pollers.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use serving::Notifier;

use super::*;

const NO_WAIT: Option<Duration> = Some(Duration::ZERO);

fn wait<P: Poller>(poller: &P, timeout: Option<Duration>) -> Vec<Event> {
    let mut events = P::events();
    poller.wait(&mut events, timeout).expect("it waits").collect()
}

fn reports_clients_and_the_notifier<P: Poller>() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let socket = Socket::from(listener.accept().unwrap().0);
    let notifier = Notifier::new().unwrap();
    let poller = P::new(&notifier).unwrap();
    assert_eq!(wait(&poller, NO_WAIT), []);
    poller.add(&socket, 7).unwrap();
    assert!(matches!(wait(&poller, None)[..], [Event::Client { key: 7, .. }]));
    assert_eq!(wait(&poller, NO_WAIT), []);
    for _ in 0..2 {
        client.write_all(b"x").unwrap();
        assert!(matches!(wait(&poller, None)[..], [Event::Client { key: 7, .. }]));
        assert_eq!(wait(&poller, NO_WAIT), []);
    }
    drop(client);
    assert!(matches!(wait(&poller, None)[..], [Event::Client { key: 7, more_input: true }]));
    poller.remove(&socket);
    drop(socket);
    for _ in 0..2 {
        notifier.notify();
        assert_eq!(wait(&poller, None), [Event::Wakeup]);
        notifier.clear();
        assert_eq!(wait(&poller, NO_WAIT), []);
    }
}

fn each_notification_is_reported_to_one_thread<P: Poller>() {
    let notifier = Notifier::new().unwrap();
    let poller = P::new(&notifier).unwrap();
    let (sender, reported) = channel();
    thread::scope(|scope| {
        for _ in 0..3 {
            let (sender, poller, notifier) = (sender.clone(), &poller, &notifier);
            scope.spawn(move || {
                let events = wait(poller, None);
                notifier.clear();
                sender.send(events).unwrap();
            });
        }
        for _ in 0..3 {
            notifier.notify();
            assert_eq!(reported.recv_timeout(Duration::from_secs(10)), Ok(vec![Event::Wakeup]));
        }
    });
}

#[test]
fn the_systems_poller_reports_clients_and_the_notifier() {
    reports_clients_and_the_notifier::<System>();
    each_notification_is_reported_to_one_thread::<System>();
}

#[test]
#[cfg(target_os = "linux")]
fn the_portable_poller_reports_clients_and_the_notifier() {
    reports_clients_and_the_notifier::<Portable>();
    each_notification_is_reported_to_one_thread::<Portable>();
}
