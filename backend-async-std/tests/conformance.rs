//! The behaviours that every backend shows.

conformance::suite!(anyloop_backend_async_std::AsyncStd);
