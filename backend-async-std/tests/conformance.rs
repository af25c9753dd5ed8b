//! The conformance kit.

conformance::suite!(anyloop_backend_async_std::AsyncStd);
