#!/bin/sh
# Checks many pairs of a message and its reply on every backend: `load --history` records them and `verify` judges them.
# Usage: benches/history.sh [PAIRS [BACKEND…]], by default 10,000,000 on each backend. A history of ten million pairs takes
# 320 MB in $TMPDIR or /tmp, and is removed when it was judged.
set -eu
cd "$(dirname "$0")/.."
pairs=${1:-10000000}
[ $# -eq 0 ] || shift
cargo build --release --locked --package anyloop-cli
program=target/release/anyloop
[ $# -gt 0 ] || set -- sequential threads pool async-std smol tokio epoll uring
folder=$(mktemp -d)
server=
end() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$folder"
}
trap end EXIT

# A number of the last verdict.
field() { sed -n "s/^  \"$1\": \([0-9]*\),*$/\1/p" "$folder/verdict"; }

printf '%-12s %12s %12s %10s %10s %10s\n' backend pairs requests unknown violations seconds
for backend; do
    connections=64
    [ "$backend" != sequential ] || connections=1
    # The first line says where it listens. The receipt of the drain says how many messages it handled.
    mkfifo "$folder/listening"
    "$program" serve --backend "$backend" --handler echo --listen 127.0.0.1:0 --log-level warn \
        --receipt "$folder/receipt" >"$folder/listening" &
    server=$!
    read -r line <"$folder/listening"
    rm "$folder/listening"
    answered=0 requests=0 unknown=0 begin=$(date +%s)
    while [ "$answered" -lt "$pairs" ]; do
        "$program" load "${line#listening on }" --expect echo --connections "$connections" --depth 16 \
            --message-size uniform:20-200 --duration 5s --seed "$((answered + 1))" --history "$folder/history" >/dev/null
        "$program" verify "$folder/history" --json "$folder/verdict" >/dev/null || { cat "$folder/verdict"; exit 4; }
        answered=$((answered + $(field answered)))
        requests=$((requests + $(field requests)))
        unknown=$((unknown + $(field unknown)))
    done
    took=$(($(date +%s) - begin))
    kill "$server"
    wait "$server" # a drain that is not clean fails
    server=
    handled=$(sed -n 's/.*"messages": *\([0-9]*\).*/\1/p' "$folder/receipt")
    [ "$handled" = "$answered" ] || { echo "$backend handled $handled messages, and answered $answered"; exit 4; }
    printf '%-12s %12s %12s %10s %10s %10s\n' "$backend" "$answered" "$requests" "$unknown" 0 "$took"
done
