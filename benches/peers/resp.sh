#!/bin/sh
# SET, GET and INCR of the Redis protocol: `examples/key-value` on anyloop's backends, compared with redis-server.
# Arguments are passed to `compare`.
set -eu
cd "$(dirname "$0")/../.."
. benches/peers/build.sh
has redis-server || exit 1
measure resp anyloop-example-key-value key-value \
    --server redis="redis-server --port {port} --bind 127.0.0.1 --save '' --appendonly no --daemonize no" "$@"
