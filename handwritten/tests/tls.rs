//! The server over TLS answers lines that arrive in pieces and many at once, and announces the end.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyloop_handwritten::{Certificate, Serve, find};
use tempfile::TempDir;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

type Client = BufReader<StreamOwned<ClientConnection, TcpStream>>;

/// A server, and what its clients trust.
fn serve() -> (SocketAddr, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let folder = TempDir::new().expect("a folder");
    let [certificate, key] = ["server.crt", "server.key"].map(|name| folder.path().join(name));
    fs::write(&certificate, made.cert.pem()).expect("a file");
    fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
    let loaded = Certificate::load(&certificate, &key).expect("valid files");
    let Serve::Tls(serve) = find("tokio-tls").expect("its name").serve else { panic!("it speaks TLS") };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    thread::spawn(move || panic!("it ended: {:?}", serve(listener, 2, loaded)));
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(made.cert.der().to_vec())).expect("an authority");
    (address, Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
}

fn connect((address, config): &(SocketAddr, Arc<ClientConfig>)) -> Client {
    let socket = TcpStream::connect(address).expect("it listens");
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("it is open");
    let connection =
        ClientConnection::new(Arc::clone(config), "localhost".try_into().expect("a name")).expect("a client");
    BufReader::new(StreamOwned::new(connection, socket))
}

fn hear(client: &mut Client) -> String {
    let mut line = String::new();
    client.read_line(&mut line).expect("a line");
    line
}

#[test]
fn lines_are_answered_and_the_end_is_announced() {
    let server = serve();
    // It ends this one, and serves the next.
    let mut other = TcpStream::connect(server.0).unwrap();
    other.write_all(b"no TLS\n").unwrap();
    let _ = other.read_to_end(&mut Vec::new());

    let mut client = connect(&server);
    for (piece, reply) in [("a\nhel", "a\n"), ("lo\r\nx", "hello\n"), ("\n", "x\n")] {
        client.get_mut().write_all(piece.as_bytes()).unwrap();
        assert_eq!(hear(&mut client), reply);
    }
    let line = |number: u32| format!("{number:031}\n");
    client.get_mut().write_all((0..1000).map(line).collect::<String>().as_bytes()).unwrap();
    (0..1000).for_each(|number| assert_eq!(hear(&mut client), line(number)));
    client.get_mut().write_all(b"last").unwrap();
    client.get_mut().conn.send_close_notify();
    client.get_mut().flush().unwrap();
    let mut rest = String::new();
    client.read_to_string(&mut rest).unwrap(); // without close_notify it would be an error
    assert_eq!(rest, "last\n");
}

#[test]
fn files_that_are_no_certificate_and_key_are_named() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str| folder.path().join(name);
    let made = [1, 2].map(|_| rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap());
    fs::write(file("crt"), made[0].cert.pem()).unwrap();
    fs::write(file("other"), made[1].signing_key.serialize_pem()).unwrap();
    fs::write(file("text"), "text").unwrap();
    let error =
        |certificate: &str, key: &str| Certificate::load(&file(certificate), &file(key)).expect_err(key);
    let names = |error: &std::io::Error, name: &str| error.to_string().starts_with(&named(&file(name)));
    let absent = error("crt", "absent");
    assert!(absent.kind() == ErrorKind::NotFound && names(&absent, "absent"), "{absent}");
    assert!(names(&error("crt", "text"), "text"));
    assert!(names(&error("text", "other"), "text"));
    assert!(names(&error("crt", "other"), "crt"));
}

fn named(file: &Path) -> String {
    format!("{}: ", file.display())
}
