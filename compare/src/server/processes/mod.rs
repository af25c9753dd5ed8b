//! The processes of a server, which are ended when this process is done with them.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod portable;
#[cfg(target_os = "linux")]
mod supervisor;

#[cfg(target_os = "linux")]
pub(super) use linux::{Ended, Processes};
#[cfg(not(target_os = "linux"))]
pub(super) use portable::{Ended, Processes};
