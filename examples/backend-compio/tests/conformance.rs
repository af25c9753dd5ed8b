//! The required behaviours of backends, on both drivers of compio.

mod suggested {
    conformance::sampled_suite!(backend_compio::Compio::Suggested);
}

mod polling {
    conformance::tcp_suite!(backend_compio::Compio::Polling);
}
