//! The conformance kit.
#![cfg(target_os = "linux")]

conformance::suite!(anyloop_backend_epoll::Epoll);
