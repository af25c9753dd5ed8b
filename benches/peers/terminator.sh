#!/bin/sh
# A server of anyloop's backend `epoll` that echoes lines, behind a program that speaks TLS in front of it:
# `terminator.sh stunnel|haproxy PORT CERTIFICATE KEY PROGRAM`. Both listen on loopback. HAProxy has a thread for each core that
# it may use, stunnel one for each client.
set -eu
kind="$1" port="$2" certificate="$3" key="$4" program="$5"
folder=$(mktemp -d)
server= terminator=
end() {
    for process in $terminator $server; do
        kill -TERM "$process" 2>/dev/null || true
        wait "$process" || true
    done
    rm -rf "$folder"
}
trap end EXIT
trap 'exit 143' TERM INT
ulimit -n 20000 2>/dev/null || true # a client takes two descriptors of the terminator

mkfifo "$folder/announced"
"$program" serve --backend epoll --handler echo --listen 127.0.0.1:0 --log-level error >"$folder/announced" &
server=$!
read -r announced <"$folder/announced"
address="${announced##* }"

case "$kind" in
stunnel)
    cat >"$folder/stunnel.conf" <<CONF
foreground = yes
pid =
syslog = no
debug = crit
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
[echo]
accept = 127.0.0.1:$port
connect = $address
cert = $certificate
key = $key
CONF
    stunnel "$folder/stunnel.conf" &
    ;;
haproxy)
    cat "$certificate" "$key" >"$folder/server.pem"
    cat >"$folder/haproxy.cfg" <<CONF
global
    maxconn 8000
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen echo
    bind 127.0.0.1:$port ssl crt $folder/server.pem
    server epoll $address
CONF
    haproxy -db -f "$folder/haproxy.cfg" &
    ;;
*)
    echo "terminator.sh: $kind is neither stunnel nor haproxy" >&2
    exit 2
    ;;
esac
terminator=$!
wait "$terminator"
