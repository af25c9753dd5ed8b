//! The [PROXY protocol], versions 1 and 2: the header by which a proxy, such as HAProxy, tells a server from which
//! address the client has connected to it.
//!
//! [`accept_from`] makes a [`Service`] expect a header from some proxies, and from nobody else. The header sets the
//! [`peer`](common::Client::peer) and [`local`](common::Client::local) address of a client, and if the client speaks TLS to
//! the proxy, its [`tls`](common::Client::tls).
//!
//! ```
//! use std::sync::Arc;
//!
//! use anyloop::handlers::Echo;
//! use anyloop::{Framing, Service};
//!
//! let proxies = "10.0.0.0/8, ::1".parse().unwrap();
//! let service = Service::framed(Arc::new(Echo), Framing::Line);
//! let service = anyloop_proxy_header::accept_from(service, proxies);
//! ```
//!
//! [PROXY protocol]: https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt

#![forbid(unsafe_code)]

mod header;
mod proxies;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use common::{Address, Client, ErrorReply, Preamble, PreambleProgress, Service};
use serving::LogLimiter;

pub use header::{Header, InvalidHeader, MAX_LENGTH, MAX_LINE, is_header};
pub use proxies::{InvalidProxies, Proxies};

/// Expects a PROXY header from each client whose address is one of `proxies`, before all other input and before the
/// handshake of a transform. All others are served without one.
///
/// - A proxy that sends no header, or an invalid one, gets an error reply that says so, unless the service has a transform.
///   Its conversation ends with [`HandshakeFailed`](common::CloseReason::HandshakeFailed). So it does if the header is not
///   complete within the message timeout.
/// - A client that begins with a header and is no proxy gets an error reply as well, since it may want to be taken for
///   another. Only the beginning of its first input is compared, so its conversation is not delayed.
///
/// It sets the [preamble](Service::with_preamble) and the [check of the first input](Service::with_first_input_check) of the
/// service. A log message for each kind of fault is limited to one in five seconds.
pub fn accept_from(service: Service, proxies: Proxies) -> Service {
    let (proxies, faults) = (Arc::new(proxies), Arc::new(Limited::default()));
    service
        .with_preamble(move || {
            Box::new(Expected { proxies: Arc::clone(&proxies), faults: Arc::clone(&faults) })
        })
        .with_first_input_check({
            let limited = Limited::default();
            move |peer, input| {
                if !is_header(input) {
                    return Ok(());
                }
                limited.warn(|count| {
                    tracing::warn!(%peer, count, "an address that is no known proxy has sent a PROXY header");
                });
                Err(ErrorReply::malformed("PROXY header: it is not accepted from this address"))
            }
        })
}

/// Warns if the first input of a client looks like a PROXY header, in a service that accepts none. The warning ends with
/// `advice`. The client is served as any other.
pub fn warn_of_headers(service: Service, advice: &'static str) -> Service {
    let limited = Limited::default();
    service.with_first_input_check(move |peer, input| {
        if is_header(input) {
            limited.warn(|count| {
                tracing::warn!(%peer, count, "a client has begun with a PROXY header, which is served as input; {advice}");
            });
        }
        Ok(())
    })
}

/// The header of a proxy.
struct Expected {
    proxies: Arc<Proxies>,
    faults: Arc<Limited>,
}

impl Preamble for Expected {
    fn receive(&mut self, input: &[u8], client: &mut Client) -> PreambleProgress {
        if !self.proxies.contains(&client.peer) {
            return PreambleProgress::Done { used: 0 };
        }
        match Header::parse(input) {
            Ok(None) => PreambleProgress::More { used: 0 },
            Ok(Some(header)) => {
                header.describe(client);
                PreambleProgress::Done { used: header.length }
            }
            Err(error) => {
                self.faults.warn(|count| {
                    tracing::warn!(proxy = %client.peer, count, %error, "a proxy has sent no valid PROXY header");
                });
                PreambleProgress::Broken(ErrorReply::malformed(error.to_string()))
            }
        }
    }
}

impl Header {
    /// Sets what is known of a client. A header without addresses leaves those of the connection.
    fn describe(&self, client: &mut Client) {
        if let Some((source, destination)) = self.addresses {
            client.peer = Address::Ip(source);
            client.local = Address::Ip(destination);
        }
        if self.tls.is_some() {
            client.tls.clone_from(&self.tls);
        }
    }
}

/// A log message that is limited to one in five seconds.
#[derive(Default)]
struct Limited(Mutex<LogLimiter>);

impl Limited {
    /// Calls `log` with the number of events since the last message, if it is time for one.
    fn warn(&self, log: impl FnOnce(u64)) {
        let count = self.0.lock().unwrap_or_else(PoisonError::into_inner).count(Instant::now());
        if let Some(count) = count {
            log(count);
        }
    }
}
