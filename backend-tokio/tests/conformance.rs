//! The behaviours that every backend shows.

conformance::suite!(backend_tokio::Tokio);
