//! The servers that were written by hand, as candidates beside the backends.

use std::ffi::OsString;

use compare::{Candidate, Care, Kind, Launch};
use handwritten::{SERVERS, Server};

/// The servers that have their counterparts among these backends, and the one that is everybody's.
pub(super) fn candidates(backends: &[Candidate], launch: impl Fn(Vec<OsString>) -> Launch) -> Vec<Candidate> {
    let is_wanted = |server: &&Server| {
        let is_chosen = |name: &str| backends.iter().any(|backend| backend.name == name);
        server.is_supported() && server.backend.is_none_or(is_chosen)
    };
    SERVERS.iter().filter(is_wanted).map(|server| candidate(server, &launch)).collect()
}

fn candidate(server: &Server, launch: impl Fn(Vec<OsString>) -> Launch) -> Candidate {
    Candidate {
        name: server.name.to_owned(),
        model: server.model.to_owned(),
        kind: Kind::Handwritten {
            of: server.backend.map(str::to_owned),
            care: match server.kind {
                handwritten::Kind::Plain => Care::Plain,
                handwritten::Kind::Careful => Care::Careful,
                handwritten::Kind::Floor => Care::Raw,
            },
        },
        max_connections: server.max_connections,
        launch: launch(["handwritten", server.name, "--listen", "127.0.0.1:0"].map(OsString::from).into()),
        ..Candidate::default()
    }
}
