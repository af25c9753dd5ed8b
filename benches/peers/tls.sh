#!/bin/sh
# An echo of lines over TLS: anyloop's backends compared with the handwritten server on tokio-rustls, and with stunnel and
# HAProxy in front of the backend `epoll`, whose CPU time and memory include both processes. `table.py` prints the result.
# Arguments are passed to `compare`.
set -eu
cd "$(dirname "$0")/../.."
. benches/peers/build.sh
program="${CARGO_TARGET_DIR:-target}/release/anyloop"
for terminator in stunnel haproxy; do
    if has "$terminator"; then
        set -- --server "$terminator=benches/peers/terminator.sh $terminator {port} {cert} {key} $program" "$@"
    fi
done
measure tls anyloop-cli anyloop --tls --with-handwritten --backends async-std "$@"
