//! What became of the hostile clients of a run, as plain data.

use serde::{Deserialize, Serialize};

/// What became of the hostile clients of a run, by kind.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct HostileClients {
    /// Clients that send nothing.
    pub idle: HostileCounts,
    /// Clients that send continuously and read almost nothing.
    pub slow_readers: HostileCounts,
    /// Clients that send a message byte by byte.
    pub slow_writers: HostileCounts,
}

/// What became of the hostile clients of one kind. A client whose connection has ended makes another.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct HostileCounts {
    /// How many clients there were.
    pub clients: u64,
    /// How many connections they made in all.
    pub connections: u64,
    /// How many of these connections the server ended, before the run was over.
    pub ended: u64,
}

impl HostileClients {
    /// The kinds, each with the name of one client.
    pub(crate) fn kinds(&self) -> [(&'static str, HostileCounts); 3] {
        [("idle client", self.idle), ("slow reader", self.slow_readers), ("slow writer", self.slow_writers)]
    }

    /// Adds those of another generator.
    fn add(&mut self, other: &Self) {
        self.idle.add(other.idle);
        self.slow_readers.add(other.slow_readers);
        self.slow_writers.add(other.slow_writers);
    }

    /// The sum of several; `None` if there are none.
    pub(crate) fn merged<'a>(all: impl Iterator<Item = &'a Self>) -> Option<Self> {
        all.fold(None, |sum: Option<Self>, one| {
            let mut sum = sum.unwrap_or_default();
            sum.add(one);
            Some(sum)
        })
    }
}

impl HostileCounts {
    fn add(&mut self, other: Self) {
        self.clients += other.clients;
        self.connections += other.connections;
        self.ended += other.ended;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_adds_each_kind() {
        let counts = |clients| HostileCounts { clients, connections: clients + 10, ended: clients + 5 };
        let one = HostileClients { idle: counts(1), slow_readers: counts(2), slow_writers: counts(3) };
        let other = HostileClients { idle: counts(4), ..HostileClients::default() };
        let both = HostileClients::merged([&one, &other].into_iter());
        let idle = HostileCounts { clients: 5, connections: 25, ended: 15 };
        assert_eq!(both, Some(HostileClients { idle, ..one }));
        assert_eq!(HostileClients::merged([].into_iter()), None);
    }
}
