#!/bin/sh
# GET, SET and INCR of the Redis protocol: `examples/key-value` on anyloop's backends beside redis-server. Arguments go
# to `compare`.
set -eu
cd "$(dirname "$0")/../.."
. benches/peers/build.sh
has redis-server || exit 1
exec cargo run --release --locked -p anyloop-example-key-value -- compare --output target/peers/resp \
    --backends smol,tokio,threads,pool,epoll,uring \
    --server redis="redis-server --port {port} --bind 127.0.0.1 --save '' --appendonly no --daemonize no" "$@"
