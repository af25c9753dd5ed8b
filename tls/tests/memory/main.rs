//! A connection of a server holds no more memory than `Transform::memory` says, whatever the client does.

#[path = "../../../examples/testing/certificates.rs"]
mod certificates;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

use anyloop_tls::{Acceptor, AcceptorSettings, Connector, ConnectorSettings, Trust};
use common::{Address, Client, MAX_READ, Opened, Transform};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, version};

use self::certificates::{Authority, Certificate};

/// The system's allocator, which counts what each thread holds.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
}

fn add(bytes: usize, sign: isize) {
    // It is gone when the thread ends.
    let _ = HELD.try_with(|held| held.set(held.get() + sign * bytes.cast_signed()));
}

#[expect(unsafe_code, reason = "an allocator that counts")]
// SAFETY: all calls are passed on as they are.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size(), 1);
        // SAFETY: the contract is the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        add(layout.size(), -1);
        // SAFETY: the contract is the caller's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The server's end of a connection, and what it holds.
struct Server {
    transform: Box<dyn Transform>,
    /// The buffers that a worker lends.
    plain: Vec<u8>,
    sealed: Vec<u8>,
    /// What it holds now, and held at most, in bytes.
    held: isize,
    most: isize,
}

impl Server {
    fn new(acceptor: &Acceptor) -> Self {
        let before = HELD.get();
        let transform = acceptor.transform(&Client::new(Address::Unknown));
        let held = HELD.get() - before;
        let (plain, sealed) = (Vec::with_capacity(MAX_READ), Vec::with_capacity(1 << 20));
        Self { transform, plain, sealed, held, most: held }
    }

    /// Opens all of this input, as a worker does, and answers each piece of plaintext by the same. Returns whether the
    /// connection goes on.
    fn receive(&mut self, input: &mut Vec<u8>) -> bool {
        loop {
            self.plain.clear();
            let opened =
                self.counted(|server| server.transform.open(input, &mut server.plain, &mut server.sealed));
            let more = match opened {
                Opened::More { used } => {
                    input.drain(..used);
                    false
                }
                Opened::Plain { used, more } => {
                    input.drain(..used);
                    self.counted(|server| server.transform.seal(&server.plain, &mut server.sealed));
                    more
                }
                Opened::End | Opened::Broken => return false,
                Opened::InPlace { .. } => panic!("TLS has no use for it"),
            };
            if !more {
                return true;
            }
        }
    }

    fn counted<R>(&mut self, call: impl FnOnce(&mut Self) -> R) -> R {
        let before = HELD.get();
        let result = call(self);
        self.held += HELD.get() - before;
        self.most = self.most.max(self.held);
        result
    }

    fn limit(&self) -> isize {
        self.transform.memory().cast_signed()
    }
}

/// The client's end.
struct Peer {
    transform: Box<dyn Transform>,
    plain: Vec<u8>,
    sent: Vec<u8>,
}

impl Peer {
    fn new(connector: &Connector) -> Self {
        let transform = connector.transform("example.org").expect("a name");
        let mut peer = Self { transform, plain: Vec::with_capacity(MAX_READ), sent: Vec::new() };
        peer.receive(&mut Vec::new());
        peer
    }

    fn receive(&mut self, input: &mut Vec<u8>) {
        self.plain.clear();
        let opened = self.transform.open(input, &mut self.plain, &mut self.sent);
        assert!(!matches!(opened, Opened::Broken), "{:?}", self.transform.failure());
        input.clear();
    }

    /// Makes the handshake. What it sends arrives in pieces of this size.
    fn shake(&mut self, server: &mut Server, size: usize) {
        while self.transform.is_handshaking() || server.transform.is_handshaking() {
            for piece in std::mem::take(&mut self.sent).chunks(size) {
                assert!(server.receive(&mut piece.to_vec()), "{:?}", server.transform.failure());
            }
            self.receive(&mut std::mem::take(&mut server.sealed));
            server.sealed.reserve(1 << 20); // outside of what is counted
        }
    }
}

fn settings(authority: &Authority, files: &Certificate) -> [ConnectorSettings; 2] {
    let trusting = ConnectorSettings::default()
        .with_trust(Trust::Authorities(authority.file()))
        .with_certificate(&files.certificate, &files.key);
    [trusting.clone(), trusting.with_only_tls12()]
}

fn served(files: &Certificate) -> AcceptorSettings {
    AcceptorSettings::default().with_certificate(&files.certificate, &files.key)
}

#[test]
fn a_client_that_sends_and_never_reads() {
    let authority = Authority::new("ours");
    let files = authority.issue("server", &["example.org"]);
    let acceptor = Acceptor::new(served(&files)).expect("valid files");
    for settings in settings(&authority, &files) {
        let (mut server, mut peer) =
            (Server::new(&acceptor), Peer::new(&Connector::new(&settings).expect("valid files")));
        peer.shake(&mut server, 1);
        for length in [1, 100, 5000, 16_384, 40_000] {
            for size in [1, 1000, 16_384, usize::MAX] {
                peer.transform.seal(&vec![b'x'; length], &mut peer.sent);
                for piece in std::mem::take(&mut peer.sent).chunks(size) {
                    assert!(server.receive(&mut piece.to_vec()));
                    server.sealed.clear(); // it waits in the buffers of the connection
                }
            }
        }
        assert!(server.most <= server.limit(), "{} of {}", server.most, server.limit());
    }
}

#[test]
fn a_client_that_presents_all_certificates_that_fit() {
    let authority = Authority::new("ours");
    let files = authority.issue("server", &["example.org"]);
    // A chain may have 64 KiB. Each name is a further one of the same client.
    let names: Vec<String> =
        (0..1640).map(|number| format!("client-{number:04}.of-many-names.example.org")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let client = authority.issue("client", &names);
    let acceptor =
        Acceptor::new(served(&files).with_client_authorities(authority.file())).expect("valid files");
    for settings in settings(&authority, &client) {
        let (mut server, mut peer) =
            (Server::new(&acceptor), Peer::new(&Connector::new(&settings).expect("valid files")));
        peer.shake(&mut server, 4096);
        let mut described = Client::new(Address::Unknown);
        server.transform.describe(&mut described);
        let length = described.tls.and_then(|tls| tls.certificate.as_ref().map(Vec::len));
        assert!(length.is_some_and(|length| length > 60_000), "{length:?}");
        assert!(server.most <= server.limit(), "{} of {}", server.most, server.limit());
    }
}

/// The first certificate is trusted, and nobody needs the others to verify it. Each is one byte, and costs many times as much.
#[test]
fn a_client_that_presents_very_many_certificates() {
    let authority = Authority::new("ours");
    let files = authority.issue("server", &["example.org"]);
    let client = authority.issue("client", &["client.example"]);
    let certificates =
        |file: &Path| CertificateDer::pem_file_iter(file).expect("a file").map(|one| one.expect("PEM"));
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(&authority.file()));
    let acceptor =
        Acceptor::new(served(&files).with_client_authorities(authority.file())).expect("valid files");
    for (count, is_served) in [(10_000, false), (9, false), (8, true)] {
        for version in [&version::TLS13, &version::TLS12] {
            let others = std::iter::repeat_n(CertificateDer::from(vec![0]), count);
            let config = ClientConfig::builder_with_protocol_versions(&[version])
                .with_root_certificates(roots.clone())
                .with_client_auth_cert(
                    certificates(&client.certificate).chain(others).collect(),
                    PrivateKeyDer::from_pem_file(&client.key).expect("a key"),
                );
            let name = "example.org".try_into().expect("a name");
            let mut peer =
                ClientConnection::new(Arc::new(config.expect("a client")), name).expect("a client");
            let mut server = Server::new(&acceptor);
            let mut goes_on = true;
            while goes_on && (server.transform.is_handshaking() || peer.is_handshaking()) {
                let mut sent = Vec::new();
                while peer.wants_write() {
                    peer.write_tls(&mut sent).expect("memory");
                }
                goes_on = server.receive(&mut sent);
                let mut sealed = &server.sealed[..];
                while goes_on && !sealed.is_empty() {
                    peer.read_tls(&mut sealed).expect("memory");
                    peer.process_new_packets().expect("the server is trusted");
                }
                server.sealed.clear();
            }
            let said = server.transform.failure();
            assert_eq!(said.is_none(), is_served, "{count}: {said:?}");
            assert!(said.is_none_or(|said| said.contains("presents")), "it says why");
            assert!(server.most <= server.limit(), "{count}: {} of {}", server.most, server.limit());
        }
    }
}

#[test]
fn a_client_whose_first_message_never_ends() {
    let authority = Authority::new("ours");
    let files = authority.issue("server", &["example.org"]);
    let acceptor = Acceptor::new(served(&files)).expect("valid files");
    for length in [u16::MAX.into(), 0xff_ffff] {
        let mut server = Server::new(&acceptor);
        let mut message = vec![1]; // ClientHello
        message.extend_from_slice(&u32::to_be_bytes(length)[1..]);
        message.resize(70_000, 0);
        for part in message.chunks(16_384) {
            let mut record = vec![22, 3, 1]; // a handshake
            record.extend_from_slice(&u16::try_from(part.len()).expect("it fits").to_be_bytes());
            record.extend_from_slice(part);
            if !server.receive(&mut record) {
                break;
            }
        }
        assert!(server.most <= server.limit(), "{} of {}", server.most, server.limit());
    }
}
