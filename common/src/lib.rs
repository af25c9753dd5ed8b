//! What every part of anyloop stands on: `core` holds the contract and the pure core, `serving` what the
//! backends share beside it.
//!
//! | to write | begin at |
//! | --- | --- |
//! | a service | [`Handler`] and [`Session`] |
//! | a framing | [`Codec`] |
//! | a protocol that no framing fits | [`Protocol`] and [`Application`] |
//! | a backend | [`Backend`], [`Server`], [`Acceptor`] and [`Conversation`] |

mod core;
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "what the core may not do is done here"
)]
mod serving;

pub use self::core::*;
pub use self::serving::*;
