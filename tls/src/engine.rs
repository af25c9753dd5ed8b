//! All uses of rustls. Its next version has another interface, so nothing else names it.

mod anybody;
mod bounded;
mod failure;

use std::fmt;
use std::io::{self, BufRead, Error, ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;

use common::{Address, Blocking, Client, MAX_READ, Opened, TlsInfo, Transform};
use rustls::client::{ClientConfig, ClientConnection, Resumption};
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::pki_types::ServerName;
use rustls::server::{
    ClientHello, NoServerSessionStorage, ProducesTickets, ResolvesServerCert, ServerConfig, ServerConnection,
    WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::{
    Connection, HandshakeKind, InconsistentKeys, ProtocolVersion, RootCertStore, SignatureAlgorithm,
    SupportedProtocolVersion, version,
};
use rustls_platform_verifier::BuilderVerifierExt;

use self::anybody::Anybody;
use self::bounded::Bounded;
use crate::certificates::Certificates;
use crate::pem::{self, Chain, invalid};
use crate::{Advice, CertificateFiles, ConnectorSettings, Trust};

/// The most unsent output that rustls keeps, in bytes. It is taken away after each record.
const BUFFER_LIMIT: usize = 16 * 1024;

/// The memory of a connection, in bytes: up to 64 KiB of a handshake's messages, as much of the certificates of the peer, and
/// two records of output. `tests/memory` measures it. After the handshake it is much less.
const MEMORY: usize = 64 * 1024 + 64 * 1024 + 2 * BUFFER_LIMIT;

/// A certificate with the key that belongs to it.
#[derive(Clone, Debug)]
pub(crate) struct Identity(Arc<CertifiedKey>);

impl Identity {
    /// Reads the key of this certificate.
    pub(crate) fn new(files: &CertificateFiles, chain: Chain) -> io::Result<Self> {
        let (path, certificate) = (&files.key, files.certificate.display());
        let key = default_provider().key_provider.load_private_key(pem::read_key(path)?);
        let key =
            key.map_err(|error| invalid(path, format_args!("contains a key that can't be used: {error}")))?;
        let identity = CertifiedKey::new(chain, key);
        match identity.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
                Ok(Self(Arc::new(identity)))
            }
            Err(rustls::Error::InconsistentKeys(_)) => Err(invalid(
                path,
                format_args!(
                    "is not the key of the first certificate in {certificate}; that must be the one of the key, and not \
                     the one of its authority"
                ),
            )),
            Err(error) => {
                Err(invalid(&files.certificate, format_args!("contains a broken certificate: {error}")))
            }
        }
    }

    pub(crate) fn has_same_algorithm(&self, other: &Self) -> bool {
        self.0.key.algorithm() == other.0.key.algorithm()
    }

    pub(crate) fn is_rsa(&self) -> bool {
        self.0.key.algorithm() == SignatureAlgorithm::RSA
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let can_use =
            |identity: &&Identity| identity.0.key.choose_scheme(hello.signature_schemes()).is_some();
        self.of(hello.server_name()).find(can_use).map(|identity| Arc::clone(&identity.0))
    }
}

/// The keys of session tickets.
#[derive(Clone, Debug)]
pub(crate) struct Tickets(Arc<dyn ProducesTickets>);

impl Tickets {
    pub(crate) fn new() -> io::Result<Self> {
        Ticketer::new().map(Self).map_err(Error::other)
    }
}

/// The configuration of a server.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    config: Arc<ServerConfig>,
    verifies_clients: bool,
}

impl Server {
    /// With authorities for clients nothing is resumed, since a client's certificate is not verified again then.
    pub(crate) fn new(
        certificates: Arc<Certificates>,
        client_authorities: Option<&Path>,
        alpn: &[Vec<u8>],
        tickets: &Tickets,
    ) -> io::Result<Self> {
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(VERSIONS).map_err(Error::other)?;
        let builder = match client_authorities {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(authorities(path)?), provider);
                let verifier = verifier.build().map_err(|error| invalid(path, error))?;
                builder.with_client_cert_verifier(Arc::new(Bounded(verifier)))
            }
        };
        let mut config = builder.with_cert_resolver(certificates);
        config.alpn_protocols = alpn.to_vec();
        config.session_storage = Arc::new(NoServerSessionStorage {});
        match client_authorities {
            None => config.ticketer = Arc::clone(&tickets.0),
            Some(_) => config.send_tls13_tickets = 0,
        }
        Ok(Self { config: Arc::new(config), verifies_clients: client_authorities.is_some() })
    }

    /// The transform of a client with this address.
    pub(crate) fn transform(&self, client: &Address) -> Box<dyn Transform> {
        let connection = ServerConnection::new(Arc::clone(&self.config)).map(Connection::Server);
        let verifies_peer = self.verifies_clients;
        Box::new(Session { verifies_peer, ..Session::new(connection, Some(Box::new(client.clone()))) })
    }
}

/// The configuration of a client.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    config: Arc<ClientConfig>,
    advice: Option<Advice>,
}

impl Connector {
    pub(crate) fn new(settings: &ConnectorSettings) -> io::Result<Self> {
        let provider = Arc::new(default_provider());
        let versions = if settings.only_tls12 { &[&version::TLS12][..] } else { VERSIONS };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(versions).map_err(Error::other)?;
        let builder = match &settings.trust {
            Trust::System => builder.with_platform_verifier().map_err(|error| {
                Error::other(format!("the authorities that the system trusts can't be loaded: {error}"))
            })?,
            Trust::Authorities(path) => builder.with_root_certificates(authorities(path)?),
            Trust::Anybody => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)))
            }
        };
        let mut config = match &settings.certificate {
            None => builder.with_no_client_auth(),
            Some(files) => {
                let identity = Identity::new(files, pem::read_certificates(&files.certificate)?)?;
                builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(identity.0)))
            }
        };
        config.alpn_protocols.clone_from(&settings.alpn);
        if settings.without_resumption {
            config.resumption = Resumption::disabled();
        }
        Ok(Self { config: Arc::new(config), advice: settings.advice })
    }

    /// The transform of a connection to this server.
    pub(crate) fn transform(&self, server_name: &str) -> io::Result<Box<dyn Transform>> {
        let name = ServerName::try_from(server_name.to_owned()).map_err(|_| {
            Error::new(
                ErrorKind::InvalidInput,
                format!("`{server_name}` is neither a DNS name nor an IP address"),
            )
        })?;
        let connection = ClientConnection::new(Arc::clone(&self.config), name);
        let session = Session::new(connection.map(Connection::Client), None);
        Ok(Box::new(Session { advice: self.advice, ..session }))
    }
}

const VERSIONS: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];

/// Reads the certificates of authorities.
fn authorities(path: &Path) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in pem::read_certificates(path)? {
        roots.add(certificate).map_err(|error| {
            invalid(path, format_args!("contains a certificate that can't be used: {error}"))
        })?;
    }
    Ok(roots)
}

/// One end of a connection.
struct Session {
    /// `Err` if it could not be created.
    connection: Result<Connection, rustls::Error>,
    /// The address of the client, for the log. Only a server has it.
    client: Option<Box<Address>>,
    /// Whether a client must present a certificate, which is verified at the end of the handshake.
    verifies_peer: bool,
    failure: Option<Box<rustls::Error>>,
    /// What a client says beside a failure.
    advice: Option<Advice>,
}

impl Session {
    fn new(mut connection: Result<Connection, rustls::Error>, client: Option<Box<Address>>) -> Self {
        if let Ok(connection) = &mut connection {
            connection.set_buffer_limit(Some(BUFFER_LIMIT));
        }
        Self { connection, client, verifies_peer: false, failure: None, advice: None }
    }

    fn broken(&mut self, error: rustls::Error) -> Opened {
        if let Some(client) = &self.client {
            tracing::debug!(%client, error = failure::of_client(&error), "TLS failed");
        }
        self.failure = Some(Box::new(error));
        Opened::Broken
    }

    fn is_server(&self) -> bool {
        self.client.is_some()
    }
}

impl Transform for Session {
    fn open(&mut self, input: &mut [u8], plain: &mut Vec<u8>, sealed: &mut Vec<u8>) -> Opened {
        let connection = match &mut self.connection {
            Ok(connection) => connection,
            Err(error) => {
                let error = error.clone();
                return self.broken(error);
            }
        };
        write_records(connection, sealed); // a client sends first
        let mut rest = &*input;
        loop {
            let has_ended = read_plaintext(connection, plain);
            let used = input.len() - rest.len();
            match plain.is_empty() {
                true if has_ended => return Opened::End,
                true if rest.is_empty() => return Opened::More { used },
                false if has_ended || rest.is_empty() || plain.len() == MAX_READ => {
                    let more = has_ended || plain.len() == MAX_READ;
                    return Opened::Plain { used, more };
                }
                _ => {}
            }
            let read = connection.read_tls(&mut rest);
            let processed = match read {
                Ok(_) => connection.process_new_packets(),
                Err(error) => Err(rustls::Error::General(error.to_string())),
            };
            write_records(connection, sealed);
            if let Err(error) = processed {
                return self.broken(error);
            }
        }
    }

    fn seal(&mut self, plain: &[u8], sealed: &mut Vec<u8>) {
        let Ok(connection) = &mut self.connection else { return };
        let mut rest = plain;
        while !rest.is_empty()
            && let Ok(count @ 1..) = connection.writer().write(rest)
        {
            rest = &rest[count..];
            write_records(connection, sealed);
        }
    }

    fn close(&mut self, sealed: &mut Vec<u8>) {
        let Ok(connection) = &mut self.connection else { return };
        connection.send_close_notify();
        write_records(connection, sealed);
    }

    fn is_handshaking(&self) -> bool {
        self.connection.as_ref().map_or(true, |connection| connection.is_handshaking())
    }

    fn announces_end(&self) -> bool {
        true
    }

    /// A server takes 80 µs to 300 µs for its key exchange and its signature, and as long to verify a client's certificate. The
    /// rest of a handshake takes at most 25 µs.
    fn blocking(&self) -> Blocking {
        let Ok(connection) = &self.connection else { return Blocking::Never };
        let has_signed =
            matches!(connection.handshake_kind(), Some(HandshakeKind::Full | HandshakeKind::Resumed));
        let computes = self.verifies_peer || !has_signed;
        let may_block = self.is_server() && connection.is_handshaking() && computes;
        if may_block { Blocking::MayBlock } else { Blocking::Never }
    }

    fn describe(&self, client: &mut Client) {
        let Ok(connection) = &self.connection else { return };
        let mut tls = TlsInfo::default();
        if let Connection::Server(connection) = connection {
            tls.server_name = connection.server_name().map(str::to_owned);
        }
        tls.alpn = connection.alpn_protocol().map(<[u8]>::to_vec);
        let certificates = connection.peer_certificates().unwrap_or_default();
        tls.certificate = certificates.first().map(|certificate| certificate.to_vec());
        tls.version = connection.protocol_version().and_then(|version| match version {
            ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
            ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
            _ => None,
        });
        tls.cipher_suite = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
        tls.is_resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
        client.tls = Some(Arc::new(tls));
    }

    fn failure(&self) -> Option<String> {
        let error = self.failure.as_ref()?;
        let is_server = self.is_server();
        Some(if is_server { failure::of_client(error) } else { failure::of_server(error, self.advice) })
    }

    fn memory(&self) -> usize {
        MEMORY
    }
}

/// Moves plaintext to `plain`, up to its bound. Returns whether the peer has ended its input.
fn read_plaintext(connection: &mut Connection, plain: &mut Vec<u8>) -> bool {
    let mut reader = connection.reader();
    while plain.len() < MAX_READ {
        let Ok(chunk) = reader.fill_buf() else { return false };
        let count = chunk.len().min(MAX_READ - plain.len());
        if count == 0 {
            return true;
        }
        plain.extend_from_slice(&chunk[..count]);
        reader.consume(count);
    }
    false
}

fn write_records(connection: &mut Connection, sealed: &mut Vec<u8>) {
    while connection.wants_write() && connection.write_tls(sealed).is_ok() {}
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("failure", &self.failure).finish_non_exhaustive()
    }
}
