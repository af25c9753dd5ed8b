//! Each backend serves Unix sockets.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::{env, fs, process};

use common::{Address, Client, Flow, Framing, Handler, Replies, Service, Session};

/// Greets the client with both addresses, and sends each message back.
struct Addresses;

impl Handler for Addresses {
    fn open(&self, client: &Client, out: &mut Replies<'_>) -> Box<dyn Session> {
        out.write(format_args!("{} at {}", client.peer, client.local));
        Box::new(Self)
    }
}

impl Session for Addresses {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        out.send(message);
        Flow::Continue
    }
}

#[test]
fn each_backend_serves_unix_sockets() {
    for backend in anyloop_registry::BACKENDS {
        let path = env::temp_dir().join(format!("anyloop-{}-{}", backend.name(), process::id()));
        let listener = UnixListener::bind(&path).expect("an unused path");
        let service = Service::framed(Arc::new(Addresses), Framing::Line);
        let running = serving::start(*backend, listener, service).expect("a server");
        assert_eq!(*running.address(), Address::Unix(Some(Path::new(&path).into())));
        // More than the socket buffers hold, in both directions.
        let line = "x".repeat(60_000) + "\n";
        let mut output = UnixStream::connect(&path).expect("a connection");
        let mut input = output.try_clone().expect("a descriptor");
        let reader = std::thread::spawn(move || {
            let mut all = String::new();
            input.read_to_string(&mut all).map(|_| all)
        });
        for _ in 0..50 {
            output.write_all(line.as_bytes()).expect("it is sent");
        }
        output.shutdown(Shutdown::Write).expect("the end of the output");
        let expected = format!("unix at unix:{}\n{}", path.display(), line.repeat(50));
        assert!(reader.join().expect("no panic").expect("no reset") == expected, "{}", backend.name());
        running.stop();
        let report = running.wait().expect("a report");
        assert_eq!((report.accepted, report.messages, report.open()), (1, 50, 0), "{}", backend.name());
        assert!(UnixStream::connect(&path).is_err(), "{} has left its listener open", backend.name());
        fs::remove_file(&path).expect("the server has not removed the path");
    }
}
