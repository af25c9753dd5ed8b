//! The behaviours that every backend shows.
#![cfg(target_os = "linux")]

conformance::suite!(anyloop_backend_uring::Uring);
