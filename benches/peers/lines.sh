#!/bin/sh
# An echo of lines: anyloop's backends compared with tokio's LinesCodec, ntex, Go's net, Python's asyncio, and an epoll
# loop in C that doesn't parse its input. Arguments are passed to `compare`.
set -eu
cd "$(dirname "$0")/../.."
. benches/peers/build.sh
rust tokio-lines
rust ntex-lines
set -- --server tokio-lines="$peers/rust/release/tokio-lines {port}" \
    --server ntex="$peers/rust/release/ntex-lines {port}" "$@"
if has go; then
    go build -o "$peers/go-lines" benches/peers/go/lines.go
    set -- --server go="$peers/go-lines {port}" "$@"
fi
if has python3; then
    set -- --server asyncio="python3 benches/peers/python/lines.py {port}" "$@"
fi
if has cc; then
    cc -O2 -pthread -o "$peers/c-echo" benches/peers/c/echo.c
    set -- --server c-echo="$peers/c-echo {port}" "$@"
fi
measure lines anyloop-cli anyloop "$@"
