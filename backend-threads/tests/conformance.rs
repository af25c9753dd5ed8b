//! The conformance kit.

conformance::suite!(anyloop_backend_threads::Threads);
