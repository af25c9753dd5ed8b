//! anyloop's backend `epoll`: a bare poller for each worker.
