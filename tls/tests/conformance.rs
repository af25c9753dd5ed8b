//! The cases about conversations over TLS, on every backend.

#[path = "../../examples/testing/certificates.rs"]
mod certificates;

use std::sync::{Arc, OnceLock};

use anyloop_tls::{Acceptor, AcceptorSettings, Connector, ConnectorSettings, Trust};
use conformance::{Backend, Transforms};

use self::certificates::Authority;

/// The transforms of TLS, with a certificate that is verified.
fn transforms() -> Transforms {
    static ENDS: OnceLock<(Arc<Acceptor>, Connector)> = OnceLock::new();
    let (acceptor, connector) = ENDS.get_or_init(|| {
        let authority = Authority::new("ours");
        let files = authority.issue("server", &["example.org"]);
        let server = AcceptorSettings::default().with_certificate(files.certificate, files.key);
        let client = ConnectorSettings::default().with_trust(Trust::Authorities(authority.file()));
        (Arc::new(Acceptor::new(server).expect("valid files")), Connector::new(&client).expect("valid files"))
    });
    let (acceptor, connector) = (Arc::clone(acceptor), connector.clone());
    Transforms::new(
        move |client| acceptor.transform(client),
        move || connector.transform("example.org").expect("a name"),
    )
}

fn backend(name: &str) -> &'static dyn Backend {
    registry::find(name).expect("a backend of this name")
}

mod async_std {
    conformance::transformed_suite!(super::transforms(), super::backend("async-std"));
}

mod epoll {
    conformance::transformed_suite!(super::transforms(), super::backend("epoll"));
}

mod pool {
    conformance::transformed_suite!(super::transforms(), super::backend("pool"));
}

mod sequential {
    conformance::transformed_suite!(
        super::transforms(),
        super::backend("sequential"),
        except {
            two_clients_at_once: "it serves one client at a time",
            handlers_on_other_threads: "handlers run on the thread that serves",
        }
    );
}

mod smol {
    conformance::transformed_suite!(super::transforms(), super::backend("smol"));
}

mod threads {
    conformance::transformed_suite!(super::transforms(), super::backend("threads"));
}

mod tokio {
    conformance::transformed_suite!(super::transforms(), super::backend("tokio"));
}

mod uring {
    conformance::transformed_suite!(super::transforms(), super::backend("uring"));
}
