//! The handwritten servers: `anyloop handwritten`, and `compare --with-handwritten`.

use std::ffi::OsString;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::{io, thread};

use compare::{Candidate, Care, Kind, Launch};
use handwritten::{Certificate, SERVERS, Serve, Server};
use serde_json::json;

use crate::arguments::{Format, Handwritten};
use crate::descriptors;
use crate::failure::{Failure, print, warn};
use crate::list::{lines_of_json, table};
use crate::listen::Endpoint;

/// Lists the servers, or runs one until a signal ends the process. There is no drain and no receipt.
pub(crate) fn handwritten(arguments: &Handwritten) -> Result<(), Failure> {
    let Some(name) = &arguments.name else { return print(list(arguments.format).as_bytes()) };
    let server = handwritten::find(name).ok_or_else(|| Failure::Usage(format!("there is no {name}")))?;
    if !server.is_supported() {
        return Err(Failure::Failed(format!("{name} can't serve on this machine; choose another")));
    }
    let serve = serve(server, arguments)?;
    descriptors::raise_limit();
    let listener = Endpoint::resolve("--listen", &arguments.listen, arguments.expose)?.listen_on_tcp()?;
    let failed = |error: io::Error| Failure::Failed(format!("{name} can't serve: {error}"));
    let address = listener.local_addr().map_err(failed)?;
    let workers = arguments.workers.or_else(|| thread::available_parallelism().ok());
    print(format!("listening on {address}\n").as_bytes())?;
    serve(listener, workers.map_or(1, NonZeroUsize::get)).map_err(failed)
}

/// What runs a server on a number of workers.
type Run = Box<dyn FnOnce(TcpListener, usize) -> io::Result<()>>;

/// What runs this server. The certificate of one that speaks TLS is loaded.
fn serve(server: &Server, arguments: &Handwritten) -> Result<Run, Failure> {
    match (server.serve, &arguments.tls_cert, &arguments.tls_key) {
        (Serve::Tcp(serve), None, _) => Ok(Box::new(serve)),
        (Serve::Tls(serve), Some(certificate), Some(key)) => {
            let certificate = Certificate::load(certificate, key).map_err(|error| Failure::of(&error))?;
            Ok(Box::new(move |listener, workers| serve(listener, workers, certificate)))
        }
        (Serve::Tcp(_), ..) => Err(Failure::Usage(format!(
            "{} does not speak TLS; leave out --tls-cert and --tls-key",
            server.name
        ))),
        (Serve::Tls(_), ..) => {
            Err(Failure::Usage(format!("{} speaks TLS; add --tls-cert and --tls-key", server.name)))
        }
    }
}

/// The candidates of a comparison: the servers whose counterparts are among these backends, and the one that is the
/// counterpart of all. With the arguments for TLS, those that speak it, and a warning that names the others; otherwise those
/// that don't.
pub(crate) fn candidates(
    backends: &[Candidate],
    tls: Option<&[OsString]>,
    launch: impl Fn(Vec<OsString>) -> Launch,
) -> Vec<Candidate> {
    let is_wanted = |server: &&Server| {
        let is_chosen = |name: &str| backends.iter().any(|backend| backend.name == name);
        server.is_supported() && server.backend.is_none_or(is_chosen)
    };
    let (speaking, others): (Vec<&Server>, Vec<_>) =
        SERVERS.iter().filter(is_wanted).partition(|server| server.speaks_tls());
    let chosen = if tls.is_some() { &speaking } else { &others };
    if tls.is_some() {
        let names: Vec<_> = others.iter().map(|server| server.name).collect();
        warn(&format!("--tls leaves out handwritten servers that don't speak TLS: {}", names.join(", ")));
    }
    let tls = tls.unwrap_or_default();
    chosen.iter().map(|server| candidate(server, tls, &launch)).collect()
}

fn candidate(server: &Server, tls: &[OsString], launch: impl Fn(Vec<OsString>) -> Launch) -> Candidate {
    let arguments = ["handwritten", server.name, "--listen", "127.0.0.1:0"].map(OsString::from);
    Candidate {
        name: server.name.to_owned(),
        model: server.model.to_owned(),
        kind: Kind::Handwritten {
            of: server.backend.map(str::to_owned),
            care: match server.kind {
                handwritten::Kind::Plain => Care::Plain,
                handwritten::Kind::Careful => Care::Careful,
                handwritten::Kind::Raw => Care::Raw,
            },
        },
        max_connections: server.max_connections,
        launch: launch([&arguments, tls].concat()),
        ..Candidate::default()
    }
}

fn list(format: Format) -> String {
    if format == Format::Json {
        let one = |server: &Server| {
            json!({
                "name": server.name,
                "model": server.model,
                "backend": server.backend,
                "available": server.is_supported(),
            })
        };
        return lines_of_json(SERVERS.iter().map(one).collect());
    }
    let heading = ["SERVER", "MODEL", "COUNTERPART OF"].map(String::from);
    let rows = SERVERS.iter().map(|server| {
        let counterpart = match server.backend {
            _ if !server.is_supported() => "not available here",
            Some(backend) => backend,
            None if server.speaks_tls() => "all, over TLS",
            None => "all",
        };
        [server.name, server.model, counterpart].map(String::from)
    });
    table(std::iter::once(heading).chain(rows).collect())
}
