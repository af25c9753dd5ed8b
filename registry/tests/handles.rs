//! The handle of a client says on each backend whether the client is not gone.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{panic, thread};

use common::{Client, Flow, Framing, Handle, Handler, Replies, Service, Session};

/// Keeps the handles of all clients.
#[derive(Default)]
struct Handles(Mutex<Vec<Handle>>);

impl Handler for Handles {
    fn open(&self, client: &Client, out: &mut Replies<'_>) -> Box<dyn Session> {
        self.0.lock().expect("no panic").push(client.handle());
        out.send(b"hello");
        Box::new(CloseOnMessage)
    }
}

struct CloseOnMessage;

impl Session for CloseOnMessage {
    fn message(&mut self, message: &[u8], _: &mut Replies<'_>) -> Flow {
        match message {
            b"panic" => panic::resume_unwind(Box::new(())),
            _ => Flow::Close,
        }
    }
}

fn wait_until_gone(handle: &Handle, backend: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !handle.is_gone() {
        assert!(Instant::now() < deadline, "{backend}: {handle:?} is not gone");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_handle_reports_whether_its_client_is_gone() {
    for backend in anyloop_registry::BACKENDS {
        let register = Arc::new(Handles::default());
        let handles = || register.0.lock().expect("no panic").clone();
        let service = Service::framed(Arc::clone(&register) as Arc<dyn Handler>, Framing::Line);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let running = serving::start(*backend, listener, service).expect("a server");
        // However a conversation ends: by the client, by the session, by a panic, or by an immediate stop.
        for (number, sent) in ["", "bye\n", "panic\n", "cut"].into_iter().enumerate() {
            let mut client = TcpStream::connect(running.address()).expect("a connection");
            let mut greeting = [0; 6];
            client.read_exact(&mut greeting).expect("a greeting");
            let handle = handles().last().expect("a handle").clone();
            assert_eq!((handle.id(), handle.is_gone()), (number as u64 + 1, false), "{}", backend.name());
            client.write_all(sent.as_bytes()).expect("it is sent");
            match sent {
                "" => drop(client),
                "cut" => running.stop_now(),
                _ => drop(client.read_to_end(&mut Vec::new())),
            }
            wait_until_gone(&handle, backend.name());
        }
        running.wait().expect("a report");
        assert_eq!(handles().iter().filter(|handle| handle.is_gone()).count(), 4);
    }
}
