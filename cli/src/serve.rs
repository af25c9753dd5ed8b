//! `anyloop serve`.

use std::io;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::{Address, Service};
use serving::{Running, Workers, start};

use crate::activation::Inherited;
use crate::admin::AdminServer;
use crate::arguments::Serve;
use crate::failure::{Failure, print};
use crate::handover::Handover;
use crate::notify::Progress;
use crate::program::Program;
use crate::receipt::{self, Destination, Receipt, Run};
use crate::signals::Signalled;
use crate::sockets::{Bound, Sockets};
use crate::usage::Origin;
use crate::{config, descriptors, log, notify, service, tls};

/// Changes a service before it is served.
pub(crate) type Configure = Box<dyn Fn(Service) -> Service + Send + Sync>;

/// Serves until a signal, and writes the receipt. Errors in the arguments are reported before the first client is
/// accepted. The warnings go to the log. `origins` says what has set a flag.
pub(crate) fn serve(
    arguments: &Serve,
    program: &Program,
    configure: Option<&Configure>,
    mut inherited: Inherited,
    warnings: &[String],
    origins: &[Origin],
) -> Result<ExitCode, Failure> {
    let _log = log::start(arguments.log_format, arguments.log_level()).map_err(|error| failed(&error))?;
    warnings.iter().for_each(|text| tracing::warn!("{text}"));
    let limit = descriptors::raise_limit();
    let mut service = service::service(arguments, limit)?;
    if let Some(configure) = configure {
        service = configure(service);
    }
    let acceptor = tls::load(&arguments.tls)?;
    if let Some(acceptor) = &acceptor {
        service = tls::below(service, acceptor)?;
    }
    let reserved = descriptors::reserved(arguments);
    descriptors::check(limit, pollers(arguments), reserved)?;
    let wanted = service::wanted_connections(arguments);
    descriptors::warn_of_limit(limit, wanted, service.limits.max_connections, reserved);
    let sockets = Sockets::find(arguments, &mut inherited)?;
    let configuration = &arguments.configuration;
    if configuration.show_config {
        return print(config::text(arguments, &service, origins).as_bytes()).map(|()| ExitCode::SUCCESS);
    }
    if configuration.check {
        Destination::check(arguments.receipt.as_deref())?;
        return print(config::checked(configuration).as_bytes()).map(|()| ExitCode::SUCCESS);
    }
    // From here on a signal ends nothing at once, so that the path of a Unix socket is removed in any case.
    let reloads = acceptor.is_some() || configuration.config.is_some();
    let signalled = Signalled::catch(reloads).map_err(|error| failed(&error))?;
    let Bound { main: listener, admin: admin_listener, mut files } = sockets.listen(arguments.listen_mode)?;
    let address = listener.address().map_err(|error| failed(&error))?;
    let destination = Destination::open(arguments.receipt.as_deref())?;
    let with_files: Vec<_> =
        files.iter().map(|(name, _)| *name).chain(inherited.left().iter().copied()).collect();
    let handover = Handover::prepare(&listener, admin_listener.as_ref(), &with_files);
    let handover = handover.map_err(|error| failed(&error))?;

    announce(arguments, program, &service, &address);

    let run = Run::start(program, arguments.backend.name(), &address);
    let running = start(arguments.backend, listener, service).map_err(|error| failed(&error))?;
    let running = Arc::new(running);
    let drain_delay = arguments.admin.drain_delay.0;
    signalled.control(&running, &handover, drain_delay, acceptor.clone()).map_err(|error| failed(&error))?;
    let admin_address = admin_listener.as_ref().and_then(|listener| listener.address().ok());
    let admin =
        admin_listener.map(|listener| AdminServer::start(listener, &running, acceptor)).transpose()?;
    if let Some(admin) = &admin {
        handover.stop_with(admin.stop_handle());
    }
    let log = arguments.stats.filter(|interval| !interval.0.is_zero());
    let log = log.map(|interval| StatisticsLog::start(&running, interval.0)).transpose();
    let log = log.map_err(|error| failed(&error))?;
    // If it ends before it accepts, its error is reported below.
    let progress = match running.wait_until_accepting() {
        Ok(()) => {
            files.extend(inherited.take_over(&address, admin_address.as_ref())?);
            notify::ready();
            Some(Progress::start(&running, &handover).map_err(|error| failed(&error))?)
        }
        Err(error) => {
            inherited.fail(&error.to_string());
            None
        }
    };

    let ended = running.wait();
    drop((log, progress, admin));
    if handover.is_done() {
        files.drain(..).for_each(|(_, file)| file.keep());
    }
    drop(files);
    // Errors from here on are logged.
    let receipt = match ended {
        Ok(report) => Receipt::new(run, report),
        Err(error) => {
            tracing::error!(%error, "serving failed");
            return Ok(ExitCode::FAILURE);
        }
    };
    receipt.log();
    if let Err(error) = destination.write(&receipt) {
        tracing::error!(%error, "the receipt can't be written");
        return Ok(ExitCode::FAILURE);
    }
    Ok(if receipt.has_cut() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Logs the statistics of a server at an interval, until it is dropped.
struct StatisticsLog {
    ended: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl StatisticsLog {
    fn start(running: &Arc<Running>, interval: Duration) -> io::Result<Self> {
        let (ended, has_ended) = mpsc::channel();
        let running = Arc::clone(running);
        let thread = thread::Builder::new().name("statistics".into()).spawn(move || {
            while has_ended.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                receipt::log(&running);
            }
        })?;
        Ok(Self { ended: Some(ended), thread: Some(thread) })
    }
}

impl Drop for StatisticsLog {
    fn drop(&mut self) {
        self.ended = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Announces the server: in the log with its limits, and on standard output for programs.
fn announce(arguments: &Serve, program: &Program, service: &Service, address: &Address) {
    let limits = &service.limits;
    tracing::info!(
        program = program.name(),
        version = program.version,
        %address,
        backend = arguments.backend.name(),
        handler = arguments.handler.name,
        framing = arguments.handler.is_framed().then(|| arguments.framing().name),
        workers = service.workers,
        max_connections = limits.max_connections,
        backend_holds = arguments.backend.capabilities().max_connections,
        overload = %limits.overload,
        max_message = limits.max_message,
        idle_timeout = %arguments.idle_timeout,
        message_timeout = %arguments.message_timeout,
        write_timeout = %arguments.write_timeout,
        min_rate = limits.min_rate,
        answer_timeout = %arguments.answer_timeout,
        drain_timeout = %arguments.drain_timeout,
        mailbox = limits.mailbox,
        mailbox_full = %limits.mailbox_full,
        "serving"
    );
    if let Some(why) = arguments.backend.capabilities().legacy {
        tracing::warn!(backend = arguments.backend.name(), why, "this backend is kept for comparison");
    }
    if let Err(error) = print(format!("listening on {address}\n").as_bytes()) {
        tracing::warn!(%error, "the address could not be announced");
    }
}

/// How many workers may have separate pollers.
fn pollers(arguments: &Serve) -> usize {
    let cores = || thread::available_parallelism().ok();
    match arguments.backend.capabilities().workers {
        Workers::Chosen => arguments.workers.or_else(cores).map_or(1, NonZeroUsize::get),
        _ => 0,
    }
}

fn failed(error: &io::Error) -> Failure {
    Failure::Failed(error.to_string())
}
