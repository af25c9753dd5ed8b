//! The behaviours that every backend shows.

conformance::suite!(own_backend::Poll);
