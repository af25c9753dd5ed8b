//! The behaviours that every backend shows.

conformance::suite!(anyloop_backend_pool::Pool);
