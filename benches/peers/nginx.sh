#!/bin/sh
# nginx on a port of loopback, answering `GET /health` with `ok`: one worker for each core that it may use (`auto` would
# count all cores), no log, no daemon.
set -eu
port="$1"
folder=$(mktemp -d)
nginx=
end() {
    [ -z "$nginx" ] || kill -TERM "$nginx" 2>/dev/null || true
    [ -z "$nginx" ] || wait "$nginx" || true
    rm -rf "$folder"
}
trap end EXIT
trap 'exit 143' TERM INT
cat >"$folder/nginx.conf" <<CONF
worker_processes $(nproc);
pid $folder/pid;
error_log stderr warn;
events { worker_connections 8192; }
http {
    access_log off;
    client_body_temp_path $folder/body;
    proxy_temp_path $folder/proxy;
    fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi;
    scgi_temp_path $folder/scgi;
    keepalive_requests 1000000000;
    server {
        listen 127.0.0.1:$port reuseport;
        location = /health { default_type text/plain; return 200 "ok\n"; }
    }
}
CONF
nginx -c "$folder/nginx.conf" -g 'daemon off;' &
nginx=$!
wait "$nginx"
