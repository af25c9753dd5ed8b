//! The list of all backends. To add one, add a line here.

#![forbid(unsafe_code)]

use serving::Backend;

/// Every backend, in the order in which they are listed.
pub static BACKENDS: &[&dyn Backend] = &[
    &backend_sequential::Sequential,
    &backend_threads::Threads,
    &backend_pool::Pool,
    #[cfg(feature = "async-std")]
    &backend_async_std::AsyncStd,
    &backend_smol::Smol,
    &backend_tokio::Tokio,
    #[cfg(target_os = "linux")]
    &backend_epoll::Epoll,
    #[cfg(target_os = "linux")]
    &backend_uring::Uring,
];

/// The backend of this name.
pub fn find(name: &str) -> Option<&'static dyn Backend> {
    BACKENDS.iter().copied().find(|backend| backend.name() == name)
}
