//! The behaviours that every backend shows.

conformance::suite!(backend_threads::Threads);
