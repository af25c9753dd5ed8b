//! anyloop's backend `uring`: an io_uring for each worker.
