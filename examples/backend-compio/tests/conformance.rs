//! The required behaviours of backends, on both drivers of compio.

mod chosen {
    conformance::suite!(backend_compio::Compio::Suggested);
}

mod polling {
    conformance::suite!(backend_compio::Compio::Polling);
}
