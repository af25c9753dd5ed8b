//! The kit on the portable poller, where the backend itself uses another.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use common::{Backend, Capabilities, Report, Service, Stop};

use crate::poller::Portable;
use crate::{Pool, serve};

/// The pool with the poller of other systems.
struct OnPortable;

impl Backend for OnPortable {
    fn name(&self) -> &'static str {
        "pool"
    }

    fn capabilities(&self) -> Capabilities {
        Pool.capabilities()
    }

    fn serve(&self, listener: TcpListener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        serve::<Portable>(self, listener, service, stop)
    }
}

conformance::suite!(OnPortable);
