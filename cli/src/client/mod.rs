//! `anyloop client`.

/// x
pub(crate) const MAX_REPLY: usize = (1 << 20) + 1024;
