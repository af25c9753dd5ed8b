//! The behaviours that every backend shows.

conformance::suite!(anyloop_backend_smol::Smol);
