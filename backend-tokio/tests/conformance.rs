//! The conformance kit.

conformance::suite!(anyloop_backend_tokio::Tokio);
