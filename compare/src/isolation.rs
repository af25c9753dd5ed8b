//! Hostile clients, beside which a load is measured: how well a server protects its good clients from them.

use load::plan::Hostile;

/// How many hostile clients there are beside so many good ones: as many.
pub(super) fn hostile(clients: usize) -> usize {
    clients
}

/// So many hostile clients, a third of each kind, the worse kinds first.
pub(super) fn crowd(clients: usize) -> Hostile {
    Hostile { slow_readers: clients.div_ceil(3), slow_writers: (clients + 1) / 3, idle: clients / 3 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_clients_are_of_all_kinds() {
        for clients in 0..10 {
            let crowd = crowd(clients);
            assert_eq!(crowd.slow_readers + crowd.slow_writers + crowd.idle, clients);
        }
        assert_eq!(crowd(5), Hostile { slow_readers: 2, slow_writers: 2, idle: 1 });
    }
}
