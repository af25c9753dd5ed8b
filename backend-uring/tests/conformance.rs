//! The behaviours that every backend shows.
#![cfg(target_os = "linux")]

conformance::suite!(backend_uring::Uring);
