//! Each fault on real sockets: what the two ends see of it.

#![allow(clippy::unwrap_used, reason = "these are tests, their helpers too")]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyloop_fault_proxy::{Fault, Proxy, Script, Settings};

/// A time limit that these tests never need, however busy the machine is.
const BOUND: Duration = Duration::from_secs(60);

/// A proxy that applies these faults to each connection, and the listener of the server behind it.
fn proxy(seed: u64, faults: &[Fault]) -> (Proxy, TcpListener, Settings) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = Settings { seed, faults: faults.into(), chance: 1.0 };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::start(listener, server.local_addr().unwrap(), settings.clone()).unwrap();
    (proxy, server, settings)
}

fn connect(address: SocketAddr) -> TcpStream {
    bounded(TcpStream::connect(address).unwrap())
}

fn bounded(socket: TcpStream) -> TcpStream {
    socket.set_read_timeout(Some(BOUND)).unwrap();
    socket.set_write_timeout(Some(BOUND)).unwrap();
    socket
}

fn applied(proxy: &Proxy, fault: Fault) -> u64 {
    proxy.counts().applied.into_iter().find(|(name, _)| *name == fault.name()).unwrap().1
}

fn text(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + at / 251) as u8).collect()
}

/// Sends a text through the proxy and back, and returns how long it took.
fn echo(proxy: &Proxy, server: &TcpListener, text: &[u8]) -> Duration {
    let begin = Instant::now();
    let mut client = connect(proxy.address());
    let server = bounded(server.accept().unwrap().0);
    thread::scope(|scope| {
        scope.spawn(|| {
            std::io::copy(&mut &server, &mut &server).and_then(|_| server.shutdown(Shutdown::Write))
        });
        let mut sending = client.try_clone().unwrap();
        scope.spawn(move || sending.write_all(text).and_then(|()| sending.shutdown(Shutdown::Write)));
        let mut came = Vec::new();
        client.read_to_end(&mut came).unwrap();
        assert!(came == text, "{} bytes came of {}", came.len(), text.len());
    });
    begin.elapsed()
}

#[test]
fn a_connection_that_lives_loses_nothing() {
    let shaping: Vec<Fault> = Fault::ALL.into_iter().filter(|fault| !fault.ends()).collect();
    for faults in shaping.iter().map(std::slice::from_ref).chain([&[][..], &shaping]) {
        for seed in 0..2 {
            let (proxy, server, _) = proxy(seed, faults);
            echo(&proxy, &server, &text(6_000));
            for fault in faults.iter().filter(|fault| **fault != Fault::Coalesce && **fault != Fault::Stall) {
                assert!(applied(&proxy, *fault) > 0, "{fault} with {faults:?}");
            }
        }
    }
}

#[test]
fn delays_take_at_least_their_time() {
    for seed in 0..5 {
        let (proxy, server, settings) = proxy(seed, &[Fault::Delay]);
        let Script { up, down, .. } = Script::draw(&settings, 0);
        assert!(echo(&proxy, &server, b"x") >= up.delay + down.delay);
    }
}

#[test]
fn jitter_takes_its_time_on_some_connection() {
    let (proxy, server, settings) = proxy(1, &[Fault::Jitter]);
    assert!(Script::draw(&settings, 0).up.jitter > Duration::ZERO);
    let taken = (0..5).map(|_| echo(&proxy, &server, b"x")).max().unwrap();
    assert!(taken >= Duration::from_millis(1), "{taken:?}");
    assert_eq!(applied(&proxy, Fault::Jitter), 10, "one piece in each direction of each connection");
}

#[test]
fn a_stall_takes_at_least_its_time() {
    let (proxy, server, settings) = proxy(2, &[Fault::Stall]);
    let Script { up, down, .. } = Script::draw(&settings, 0);
    let (up, down) = (up.stall.unwrap(), down.stall.unwrap());
    let taken = echo(&proxy, &server, &text(70_000));
    assert!(taken >= up.1.max(down.1), "{taken:?}");
    assert_eq!(applied(&proxy, Fault::Stall), 2, "once in each direction");
}

#[test]
fn a_throttle_keeps_its_rate() {
    let (proxy, server, settings) = proxy(1, &[Fault::Throttle]);
    let rates = Script::draw(&settings, 0);
    let rate = rates.up.throttle.unwrap().min(rates.down.throttle.unwrap());
    let length = 8_000;
    let taken = echo(&proxy, &server, &text(length));
    assert!(taken.as_secs_f64() >= length as f64 / rate as f64, "{taken:?} at {rate} B/s");
}

#[test]
fn split_bytes_come_in_small_pieces() {
    let (proxy, server, settings) = proxy(1, &[Fault::Split]);
    let most = Script::draw(&settings, 0).up.split.unwrap();
    let mut client = connect(proxy.address());
    let mut server = bounded(server.accept().unwrap().0);
    client.write_all(&text(2000)).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let (mut reads, mut short, mut buffer) = (0, 0, [0; 4096]);
    loop {
        match server.read(&mut buffer).unwrap() {
            0 => break,
            count => {
                reads += 1;
                short += usize::from(count <= most);
            }
        }
    }
    // The kernel may join pieces on a busy machine, but hardly all of them.
    assert!(applied(&proxy, Fault::Split) as usize >= 2000 / most);
    assert!(short > 0 && reads > 2, "{short} of {reads} reads have at most {most} bytes");
}

#[test]
fn coalesced_bytes_come_together() {
    let (proxy, server, settings) = proxy(1, &[Fault::Coalesce]);
    let (enough, _) = Script::draw(&settings, 0).up.coalesce.unwrap();
    let mut client = connect(proxy.address());
    let mut server = bounded(server.accept().unwrap().0);
    client.set_nodelay(true).unwrap();
    for byte in 0..enough {
        client.write_all(&[byte as u8]).unwrap();
        // Read one by one, so that it is the proxy that joins them.
        thread::yield_now();
    }
    let mut came = vec![0; enough];
    server.read_exact(&mut came[..1]).unwrap();
    server.read_exact(&mut came[1..]).unwrap();
    assert!(came.iter().enumerate().all(|(at, byte)| *byte == at as u8));
    assert!(applied(&proxy, Fault::Coalesce) > 0);
}

#[test]
fn behind_a_half_close_replies_still_come() {
    for seed in 0..10 {
        let (proxy, server, settings) = proxy(seed, &[Fault::HalfClose]);
        let after = Script::draw(&settings, 0).ending.unwrap().after as usize;
        let text = text(70_000);
        let mut client = connect(proxy.address());
        let mut server = bounded(server.accept().unwrap().0);
        let mut sending = client.try_clone().unwrap();
        let sent = text.clone();
        let sender = thread::spawn(move || sending.write_all(&sent));
        let mut came = Vec::new();
        server.read_to_end(&mut came).unwrap();
        assert!(came == text[..after], "{} bytes came of {after}", came.len());
        server.write_all(b"all that came is answered").unwrap();
        drop(server);
        let mut reply = String::new();
        client.read_to_string(&mut reply).unwrap();
        assert_eq!(reply, "all that came is answered");
        sender.join().unwrap().unwrap();
        assert_eq!(applied(&proxy, Fault::HalfClose), 1);
    }
}

#[test]
fn a_reset_and_a_truncation_end_both_sides() {
    for fault in [Fault::Reset, Fault::Truncate] {
        for seed in 0..10 {
            let (proxy, server, settings) = proxy(seed, &[fault]);
            let ending = Script::draw(&settings, 0).ending.unwrap();
            let client = connect(proxy.address());
            let server = bounded(server.accept().unwrap().0);
            let (sender, receiver) = if ending.is_up { (&client, &server) } else { (&server, &client) };
            let text = text(ending.after as usize);
            (&mut &*sender).write_all(&text).unwrap();
            let ends = [receiver, sender].map(|mut socket| {
                let mut came = Vec::new();
                (socket.read_to_end(&mut came), came)
            });
            for (end, came) in &ends {
                match end {
                    Err(error) => {
                        assert!(fault == Fault::Reset && error.kind() == ErrorKind::ConnectionReset)
                    }
                    Ok(_) => assert_eq!(fault, Fault::Truncate),
                }
                assert!(text.starts_with(came));
            }
            // A reset may take the last bytes with it.
            assert!(fault == Fault::Reset || ends[0].1 == text, "{} of {}", ends[0].1.len(), text.len());
            assert_eq!(applied(&proxy, fault), 1);
        }
    }
}

#[test]
fn a_client_of_a_server_that_is_gone_is_reset() {
    let (proxy, server, _) = proxy(1, &[]);
    drop(server);
    let error = connect(proxy.address()).read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!((proxy.counts().connections, proxy.counts().refused), (1, 1));
}

#[test]
fn it_holds_a_thousand_connections() {
    let (proxy, server, _) = proxy(1, &[Fault::Delay, Fault::Split]);
    let serving = thread::spawn(move || {
        let mut sockets: Vec<_> = (0..1000).map(|_| server.accept().unwrap().0).collect();
        for socket in &mut sockets {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            socket.write_all(&byte).unwrap();
        }
        sockets
    });
    let mut clients: Vec<_> = (0..1000).map(|_| connect(proxy.address())).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.write_all(&[number as u8]).unwrap();
    }
    for (number, client) in clients.iter_mut().enumerate() {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        assert_eq!(byte[0], number as u8);
    }
    drop(proxy);
    let sockets = serving.join().unwrap();
    for mut socket in sockets.into_iter().chain(clients) {
        assert!(matches!(socket.read(&mut [0]), Ok(0) | Err(_)), "it has ended with the proxy");
    }
}

#[test]
fn the_program_relays_and_explains_itself() {
    let program = || Command::new(env!("CARGO_BIN_EXE_anyloop-fault-proxy"));
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = server.local_addr().unwrap().to_string();
    let flags = ["--to", &to, "--seed", "3", "--faults", "delay,split", "--chance", "1", "--verbose"];
    let mut child = program().args(flags).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = output.next().unwrap();
    let address = line.strip_prefix("listening on ").unwrap().parse().unwrap();
    let mut client = connect(address);
    let mut served = bounded(server.accept().unwrap().0);
    client.write_all(b"hello").unwrap();
    let mut came = [0; 5];
    served.read_exact(&mut came).unwrap();
    let settings = Settings { seed: 3, faults: vec![Fault::Delay, Fault::Split], chance: 1.0 };
    assert_eq!(output.next().unwrap(), format!("connection 0: {}", Script::draw(&settings, 0)));
    child.kill().unwrap();
    child.wait().unwrap();
    for (flags, why) in [
        (&["--to", "127.0.0.1:1", "--faults", "loss"][..], "`loss` is no fault; write some of: delay"),
        (&["--to", "127.0.0.1:1", "--chance", "2"], "`2` is no share; write a number from 0 to 1"),
        (&["--to", "8888"], "write HOST:PORT, such as localhost:8888"),
        (&["--to", "localhost:http"], "write HOST:PORT, such as localhost:8888"),
        (&["--to", "localhost:1", "--listen", ":1"], "write HOST:PORT, such as localhost:8888"),
        (&[], "--to"),
    ] {
        let output = program().args(flags).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && error.contains(why), "{flags:?}: {error}");
    }
}

#[test]
fn the_program_looks_a_name_up() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("localhost:{}", server.local_addr().unwrap().port());
    let mut program = Command::new(env!("CARGO_BIN_EXE_anyloop-fault-proxy"));
    program.args(["--to", &to, "--listen", "localhost:0", "--faults", "delay"]);
    let mut child = program.stdout(Stdio::piped()).spawn().unwrap();
    let line = BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    let mut client = connect(line.strip_prefix("listening on ").unwrap().parse().unwrap());
    client.write_all(b"x").unwrap();
    let mut came = [0];
    bounded(server.accept().unwrap().0).read_exact(&mut came).unwrap();
    assert_eq!(came, *b"x");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_second_address_of_a_server_is_tried_if_the_first_accepts_nothing() {
    let [gone, server] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let to = [&gone, &server].map(|listener| listener.local_addr().unwrap());
    drop(gone);
    let settings = Settings { faults: vec![Fault::Delay], ..Settings::default() };
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::start(listen(), &to[..], settings.clone()).unwrap();
    thread::spawn(move || server.accept().unwrap().0.write_all(b"x"));
    let mut came = [0];
    connect(proxy.address()).read_exact(&mut came).unwrap();
    let error = Proxy::start(listen(), &to[..0], settings).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::InvalidInput, "the server has no address")
    );
}

#[test]
fn the_program_says_why_it_can_not_begin() {
    let listening = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listening.local_addr().unwrap().to_string();
    for (flags, why) in [
        (
            ["--to", "127.0.0.1:1", "--listen", &taken],
            format!("error: can't listen on {taken}: Address already"),
        ),
        (
            ["--to", "nobody.invalid:1", "--seed", "1"],
            "error: the host of nobody.invalid:1 can't be found: ".into(),
        ),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_anyloop-fault-proxy")).args(flags).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && error.starts_with(&why), "{flags:?}: {error}");
    }
}
