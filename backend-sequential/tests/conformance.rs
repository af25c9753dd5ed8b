//! The behaviours that every backend shows.

conformance::suite!(
    anyloop_backend_sequential::Sequential,
    except {
        two_clients_at_once: "it serves one client at a time",
        handlers_elsewhere: "a handler runs on the thread that `serve` was called on, and can't be left behind",
    }
);
