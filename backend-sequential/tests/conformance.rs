//! The conformance kit.

conformance::suite!(
    anyloop_backend_sequential::Sequential,
    except {
        two_clients_at_once: "it serves one client at a time",
        handlers_on_other_threads: "a handler runs on the thread that called `serve`, which can't return before it",
    }
);
