//! The sockets that a process inherits: from systemd, or from the server that it is to replace.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::{env, process};

use common::Address;
use serving::{Listener, SocketFile};

use crate::address::Target;
use crate::arguments::Serve;
use crate::failure::Failure;
use crate::handover::Predecessor;
use crate::sockets::file_at;

/// The sockets that this process has inherited.
#[derive(Debug, Default)]
pub(crate) struct Inherited {
    /// The listener that takes the place of `--listen`.
    pub(crate) main: Option<Listener>,
    /// The listener for the administration, whose name is `admin`.
    pub(crate) admin: Option<Listener>,
    /// The server that this one replaces.
    pub(crate) predecessor: Option<Predecessor>,
}

/// The name of the socket for the administration, which `FileDescriptorName=` gives it.
pub(crate) const ADMIN: &str = "admin";

/// The name that a hand-over gives the other one.
pub(crate) const MAIN: &str = "main";

impl Inherited {
    /// Takes the sockets that the variables `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES` describe, and unsets these. There
    /// are none if the variables are for another process. It is called once, when the process starts.
    ///
    /// # Errors
    /// If the variables are wrong, or if a socket is none that a server can accept from. The predecessor is told of it.
    #[expect(unsafe_code, reason = "a variable is removed, and a number becomes a descriptor")]
    pub(crate) fn take() -> Result<Self, Failure> {
        // Variables for another process are not checked, and neither are names without a socket.
        let is_for_another = env::var("LISTEN_PID")
            .map_or(true, |number| number.parse().is_ok_and(|number: u32| number != process::id()));
        let is_empty = env::var("LISTEN_FDS").is_ok_and(|count| count == "0");
        let described = ["LISTEN_FDS", "LISTEN_FDNAMES"].map(|name| (name, env::var_os(name)));
        // SAFETY: nothing else reads the environment meanwhile: the command has not started a thread yet.
        let taken = unsafe { sd_notify::listen_fds_with_names_and_unset_env() };
        if is_for_another || is_empty {
            return Ok(Self::default());
        }
        let descriptors = taken.map_err(|error| {
            let described = described.iter().filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?.display())));
            let described: Vec<_> = described.collect();
            Failure::Usage(format!(
                "the sockets that {} describes can't be taken: {error}; start it with the sockets that these variables \
                 name, or without the variables",
                described.join(" ")
            ))
        })?;
        // SAFETY: the variables say that these descriptors were passed to this process for its use, and they are taken once.
        let own = |number: RawFd| unsafe { OwnedFd::from_raw_fd(number) };
        let mut descriptors: Vec<_> = descriptors.map(|(number, name)| (name, own(number))).collect();
        let predecessor = Predecessor::among(&mut descriptors);
        let inherited = Self::of(descriptors);
        if let (Some(predecessor), Err(failure)) = (&predecessor, &inherited) {
            predecessor.fail(&failure.to_string());
        }
        inherited.map(|inherited| Self { predecessor, ..inherited })
    }

    /// Sets `--admin` to the address of the inherited listener, so that what depends on the flag is there.
    pub(crate) fn set_admin(&self, arguments: &mut Serve) -> Result<(), Failure> {
        if let Some(listener) = &self.admin {
            let address = listener.address().map_err(|error| Failure::Failed(error.to_string()))?;
            arguments.admin.address = Some(Target::Address(address));
        }
        Ok(())
    }

    /// The names of the listeners whose paths the predecessor leaves to this process.
    pub(crate) fn left(&self) -> &[&'static str] {
        self.predecessor.as_ref().map_or(&[], |predecessor| &predecessor.left)
    }

    /// Tells the predecessor, if there is one, that this server accepts clients at these addresses. Returns the files of the Unix
    /// sockets that the predecessor leaves to this process.
    ///
    /// # Errors
    /// If the predecessor has ended meanwhile.
    pub(crate) fn take_over(
        &self,
        main: &Address,
        admin: Option<&Address>,
    ) -> Result<Vec<(&'static str, SocketFile)>, Failure> {
        let Some(predecessor) = &self.predecessor else { return Ok(Vec::new()) };
        let gone = |error| Failure::Failed(format!("the server that was to be replaced has ended: {error}"));
        predecessor.ready().map_err(gone)?;
        let listeners = [(MAIN, Some(main)), (ADMIN, admin)].into_iter();
        let left = listeners.filter(|(name, _)| predecessor.left.contains(name));
        Ok(left.filter_map(|(name, address)| Some((name, file_at(address?)?))).collect())
    }

    /// Tells the predecessor, if there is one, why this server ends.
    pub(crate) fn fail(&self, why: &str) {
        if let Some(predecessor) = &self.predecessor {
            predecessor.fail(why);
        }
    }

    /// The listeners among these descriptors, by their names.
    fn of(descriptors: Vec<(String, OwnedFd)>) -> Result<Self, Failure> {
        let names: Vec<_> = descriptors.iter().map(|(name, _)| name.clone()).collect();
        let mut inherited = Self::default();
        for (name, descriptor) in descriptors {
            let listener = Listener::try_from(descriptor).map_err(|error| {
                Failure::Usage(format!(
                    "the inherited socket `{name}` can't be served: {error}; pass a listening TCP or Unix socket \
                     (ListenStream= and Accept=no)"
                ))
            })?;
            let place = if name == ADMIN { &mut inherited.admin } else { &mut inherited.main };
            if place.replace(listener).is_some() {
                return Err(Failure::Usage(format!(
                    "{} sockets were inherited ({}), but a server listens on one, and on one named {ADMIN}; leave out \
                     the others",
                    names.len(),
                    names.join(", ")
                )));
            }
        }
        Ok(inherited)
    }
}
