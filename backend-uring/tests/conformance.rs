//! The behaviours that every backend shows.

conformance::suite!(backend_uring::Uring);
