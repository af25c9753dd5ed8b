//! The behaviours that every backend shows.

conformance::suite!(backend_async_std::AsyncStd);
