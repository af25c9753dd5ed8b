//! Both ends of a connection, without a socket.

use std::sync::Arc;

use anyloop_tls::{Acceptor, AcceptorSettings, Connector, ConnectorSettings, Trust};
use common::{Address, Client, MAX_READ, Opened, TlsInfo, Transform};

use crate::certificates::{Authority, Certificate};

/// The transforms of both ends, and what is under way between them.
pub(crate) struct Pair {
    pub(crate) server: End,
    pub(crate) client: End,
}

/// One end.
pub(crate) struct End {
    pub(crate) transform: Box<dyn Transform>,
    /// What it has sent, and the other end has not received.
    pub(crate) sent: Vec<u8>,
    /// What it has received, and not used.
    received: Vec<u8>,
    /// What the other end has said.
    pub(crate) heard: Vec<u8>,
    pub(crate) last: Opened,
}

impl End {
    fn new(transform: Box<dyn Transform>) -> Self {
        let (sent, received, heard) = Default::default();
        let mut end = Self { transform, sent, received, heard, last: Opened::More { used: 0 } };
        end.receive(&[]);
        end
    }

    /// Opens these bytes, and those that were received before.
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
        while !matches!(self.last, Opened::End | Opened::Broken) {
            let mut plain = Vec::with_capacity(MAX_READ);
            self.last = self.transform.open(&mut self.received, &mut plain, &mut self.sent);
            assert!(plain.len() <= MAX_READ);
            match self.last {
                Opened::More { used } | Opened::Plain { used, .. } => drop(self.received.drain(..used)),
                Opened::End | Opened::Broken => {}
                Opened::InPlace { .. } => panic!("TLS has no use for it"),
            }
            self.heard.append(&mut plain);
            if !matches!(self.last, Opened::Plain { more: true, .. }) {
                break;
            }
        }
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.transform.seal(text.as_bytes(), &mut self.sent);
    }

    pub(crate) fn heard(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.heard)).expect("text")
    }
}

impl Pair {
    pub(crate) fn new(acceptor: &Acceptor, connector: &Connector, server_name: &str) -> Self {
        let client = connector.transform(server_name).expect("a name");
        let server = acceptor.transform(&Client::new(Address::Unknown));
        Self { server: End::new(server), client: End::new(client) }
    }

    /// Delivers everything until both ends are silent. Returns the number of bytes that the server has sent.
    pub(crate) fn exchange(&mut self) -> usize {
        let mut count = 0;
        while !self.client.sent.is_empty() || !self.server.sent.is_empty() {
            let (sent, answered) =
                (std::mem::take(&mut self.client.sent), std::mem::take(&mut self.server.sent));
            count += answered.len();
            self.server.receive(&sent);
            self.client.receive(&answered);
        }
        count
    }

    /// Makes the handshake, and checks that both ends hear each other. `Err` says why the client, or the server, has failed.
    pub(crate) fn shake(&mut self) -> Result<TlsInfo, (Option<String>, Option<String>)> {
        self.exchange();
        let failures = (self.client.transform.failure(), self.server.transform.failure());
        if failures != (None, None) {
            return Err(failures);
        }
        assert!(!self.client.transform.is_handshaking() && !self.server.transform.is_handshaking());
        self.client.say("ping");
        self.server.say("pong");
        self.exchange();
        assert_eq!((self.server.heard().as_str(), self.client.heard().as_str()), ("ping", "pong"));
        let mut described = Client::new(Address::Unknown);
        self.server.transform.describe(&mut described);
        Ok(Arc::unwrap_or_clone(described.tls.expect("what is known by TLS")))
    }
}

/// The settings of a server with this certificate.
pub(crate) fn served(files: &Certificate) -> AcceptorSettings {
    AcceptorSettings::default().with_certificate(&files.certificate, &files.key)
}

pub(crate) fn acceptor(settings: AcceptorSettings) -> Acceptor {
    Acceptor::new(settings).expect("valid files")
}

/// The settings of a client that trusts this authority.
pub(crate) fn trusting(authority: &Authority) -> ConnectorSettings {
    ConnectorSettings::default().with_trust(Trust::Authorities(authority.file()))
}

pub(crate) fn connector(settings: &ConnectorSettings) -> Connector {
    Connector::new(settings).expect("valid files")
}
