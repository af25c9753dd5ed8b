//! `anyloop handwritten`: the servers that were written by hand, as `compare --with-handwritten` starts them.

use std::num::NonZeroUsize;
use std::thread;

use handwritten::SERVERS;
use serde_json::json;

use crate::arguments::{Format, Handwritten};
use crate::failure::{Failure, print};
use crate::list::{lines_of_json, table};
use crate::{descriptors, listen};

/// Lists the servers, or runs one until a signal ends the process: it has nothing to drain and nobody to account for.
pub(crate) fn handwritten(arguments: &Handwritten) -> Result<(), Failure> {
    let Some(name) = &arguments.name else { return print(list(arguments.format).as_bytes()) };
    let server = handwritten::find(name).ok_or_else(|| Failure::Usage(format!("there is no {name}")))?;
    if !server.is_supported() {
        return Err(Failure::Failed(format!("{name} can't serve on this machine; choose another")));
    }
    descriptors::raise_limit();
    let listener = listen::listen(&arguments.listen)?;
    let failed = |error: std::io::Error| Failure::Failed(format!("{name} can't serve: {error}"));
    let address = listener.local_addr().map_err(failed)?;
    let workers = arguments.workers.or_else(|| thread::available_parallelism().ok());
    print(format!("listening on {address}\n").as_bytes())?;
    (server.serve)(listener, workers.map_or(1, NonZeroUsize::get)).map_err(failed)
}

fn list(format: Format) -> String {
    if format == Format::Json {
        let one = |server: &handwritten::Server| {
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
            None => "all",
        };
        [server.name, server.model, counterpart].map(String::from)
    });
    table(std::iter::once(heading).chain(rows).collect())
}
