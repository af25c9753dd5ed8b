//! `anyloop baseline`: a server that was written by hand, as `compare --baselines` starts it.

use std::num::NonZeroUsize;
use std::thread;

use crate::arguments::ByHand;
use crate::failure::{Failure, print};
use crate::{descriptors, listen};

/// Serves until a signal ends the process: it has nothing to drain and no books to close.
pub(crate) fn serve(arguments: &ByHand) -> Result<(), Failure> {
    let name = &arguments.name;
    let baseline = handwritten::find(name).ok_or_else(|| Failure::Usage(format!("there is no {name}")))?;
    descriptors::raise_limit();
    let listener = listen::listen(&arguments.listen)?;
    let failed = |error: std::io::Error| Failure::Failed(format!("{name} can't serve: {error}"));
    let address = listener.local_addr().map_err(failed)?;
    let workers = arguments.workers.or_else(|| thread::available_parallelism().ok());
    print(format!("listening on {address}\n").as_bytes())?;
    (baseline.serve)(listener, workers.map_or(1, NonZeroUsize::get)).map_err(failed)
}
