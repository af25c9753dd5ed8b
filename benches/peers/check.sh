#!/bin/sh
# Checks that every peer answers correctly: under load for a second, with every reply verified, and line servers also
# with lines that are split at every byte. The exit code is 1 if one does not. Peers that are not installed are left out
# with a message.
set -eu
folder="$(dirname "$0")"
command -v python3 >/dev/null || { echo "python3 is not installed: apt-get install python3" >&2; exit 1; }
code=0
for service in lines resp http tls; do
    CHECK=1 "$folder/$service.sh" || code=1
done
exit "$code"
