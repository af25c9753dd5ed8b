//! The handshakes of TLS of a run, and what they have negotiated.

use common::TlsInfo;
use serde::{Deserialize, Serialize};

/// The handshakes of TLS of a run, and what they have negotiated. Those before the measured time are counted as well.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Handshakes {
    /// The version, such as `TLSv1.3`; several, if not all connections have the same, are parted by commas.
    pub version: String,
    /// The cipher suite, such as `TLS13_AES_256_GCM_SHA384`, or several of them.
    pub cipher_suite: String,
    /// Those that have exchanged certificates.
    pub full: u64,
    /// Those that have resumed an earlier session, which costs both ends less.
    pub resumed: u64,
}

impl Handshakes {
    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.full + self.resumed
    }

    /// These; `None` if there were none.
    pub(crate) fn some(self) -> Option<Self> {
        (self.count() > 0).then_some(self)
    }

    /// Counts the handshake of a connection.
    pub(crate) fn record(&mut self, info: &TlsInfo) {
        insert(&mut self.version, info.version.unwrap_or("unknown"));
        insert(&mut self.cipher_suite, info.cipher_suite.unwrap_or("unknown"));
        self.full += u64::from(!info.is_resumed);
        self.resumed += u64::from(info.is_resumed);
    }

    /// Adds those of another thread or another generator.
    pub(crate) fn add(&mut self, other: Self) {
        other.version.split(", ").for_each(|version| insert(&mut self.version, version));
        other.cipher_suite.split(", ").for_each(|suite| insert(&mut self.cipher_suite, suite));
        self.full += other.full;
        self.resumed += other.resumed;
    }

    /// The sum of several; `None` if there are none.
    pub(crate) fn merged<'a>(all: impl Iterator<Item = &'a Self>) -> Option<Self> {
        let mut sum = Self::default();
        all.cloned().for_each(|one| sum.add(one));
        sum.some()
    }
}

/// Adds a name to a list of names in alphabetical order, unless it is there.
fn insert(list: &mut String, name: &str) {
    if list == name || name.is_empty() {
        return;
    }
    let mut names: Vec<_> = list.split(", ").filter(|name| !name.is_empty()).chain([name]).collect();
    names.sort_unstable();
    names.dedup();
    *list = names.join(", ");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unlike_connections_are_told() {
        let info = |version, is_resumed| {
            let mut info = TlsInfo::default();
            (info.version, info.cipher_suite, info.is_resumed) = (Some(version), Some("SUITE"), is_resumed);
            info
        };
        let (mut one, mut other) = (Handshakes::default(), Handshakes::default());
        assert_eq!(one.clone().some(), None);
        one.record(&info("TLSv1.3", false));
        one.record(&info("TLSv1.3", true));
        other.record(&info("TLSv1.2", false));
        other.record(&info("TLSv1.3", false));
        assert_eq!((one.version.as_str(), one.count()), ("TLSv1.3", 2));
        assert_eq!(Handshakes::merged([].into_iter()), None);
        let both = Handshakes::merged([&one, &other].into_iter()).expect("handshakes");
        let names = ("TLSv1.2, TLSv1.3", "SUITE");
        assert_eq!((both.version.as_str(), both.cipher_suite.as_str()), names);
        assert_eq!((both.full, both.resumed), (3, 1));
    }
}
