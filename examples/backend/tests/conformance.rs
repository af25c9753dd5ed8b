//! The required behaviours of backends.

conformance::suite!(own_backend::Poll);
