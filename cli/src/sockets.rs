//! The sockets of `serve`: inherited ones, or those that `--listen` and `--admin` ask for.

use common::Address;
use serving::{Listener, SocketFile};

use crate::activation::{ADMIN, Inherited, MAIN};
use crate::admin;
use crate::arguments::Serve;
use crate::failure::Failure;
use crate::listen::Endpoint;

/// Where a server is to listen.
#[derive(Debug)]
pub(crate) struct Sockets {
    main: Place,
    admin: Option<Place>,
}

#[derive(Debug)]
enum Place {
    Inherited(Listener),
    Endpoint(Endpoint),
}

/// The listeners of a server.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) main: Listener,
    pub(crate) admin: Option<Listener>,
    /// The files of Unix sockets that this process has bound, with the names of the listeners.
    pub(crate) files: Vec<(&'static str, SocketFile)>,
}

impl Sockets {
    /// Finds out where to listen, without listening. An inherited socket takes the place of its flag.
    ///
    /// # Errors
    /// What is wrong with the flags.
    pub(crate) fn find(arguments: &Serve, inherited: &mut Inherited) -> Result<Self, Failure> {
        let (main, others) = match inherited.main.take() {
            Some(listener) => {
                let address = listener.address().map_err(|error| Failure::Failed(error.to_string()))?;
                (Place::Inherited(listener), vec![address])
            }
            None => {
                let endpoint = Self::endpoint(arguments)?;
                let addresses = endpoint.addresses().to_vec();
                (Place::Endpoint(endpoint), addresses)
            }
        };
        let admin = match inherited.admin.take() {
            Some(listener) => Some(Place::Inherited(listener)),
            None => admin::endpoint(arguments, &others)?.map(Place::Endpoint),
        };
        Ok(Self { main, admin })
    }

    fn endpoint(arguments: &Serve) -> Result<Endpoint, Failure> {
        if let Some(mode) = arguments.listen_mode.filter(|_| !arguments.listen.is_unix()) {
            return Err(Failure::Usage(format!(
                "--listen-mode {mode:o} is for Unix sockets, and --listen {} is none; leave it out, or listen on unix:PATH",
                arguments.listen
            )));
        }
        Endpoint::resolve("--listen", &arguments.listen, arguments.expose)
    }

    /// Listens. `mode` is that of `--listen-mode`.
    ///
    /// # Errors
    /// If none of the addresses is available.
    pub(crate) fn listen(self, mode: Option<u32>) -> Result<Bound, Failure> {
        let mut admin = self.admin.map(|place| place.listen("--admin", None)).transpose()?;
        let mut main = self.main.listen("--listen", mode)?;
        let main_file = main.take_file().map(|file| (MAIN, file));
        let admin_file = admin.as_mut().and_then(Listener::take_file).map(|file| (ADMIN, file));
        Ok(Bound { main, admin, files: main_file.into_iter().chain(admin_file).collect() })
    }
}

impl Place {
    fn listen(self, flag: &str, mode: Option<u32>) -> Result<Listener, Failure> {
        match self {
            Self::Inherited(listener) => {
                tracing::info!("the inherited socket takes the place of {flag}");
                Ok(listener)
            }
            Self::Endpoint(endpoint) => endpoint.listen(mode),
        }
    }
}

/// The file at the address of a listener, if it is a Unix socket with a path.
pub(crate) fn file_at(address: &Address) -> Option<SocketFile> {
    address.path().and_then(|path| SocketFile::at(path).ok()) // if somebody has removed it, there is nothing to remove
}
