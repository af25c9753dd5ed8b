#!/bin/sh
# GET /health: `examples/http` on anyloop's backends, compared with nginx and hyper. Arguments are passed to `compare`.
set -eu
cd "$(dirname "$0")/../.."
. benches/peers/build.sh
rust hyper-http
set -- --server hyper="$peers/rust/release/hyper-http {port}" "$@"
if has nginx; then
    set -- --server nginx="benches/peers/nginx.sh {port}" "$@"
fi
measure http anyloop-example-http http "$@"
