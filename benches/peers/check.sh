#!/bin/sh
# Checks that every peer answers correctly: under load for a second, with every reply verified, and, where it echoes
# lines, with lines that are cut at every byte. It ends with 1 if one does not. What is not installed is left out, and said.
set -eu
folder="$(dirname "$0")"
command -v python3 >/dev/null || { echo "python3 is not installed: apt-get install python3" >&2; exit 1; }
code=0
for service in lines resp http; do
    CHECK=1 "$folder/$service.sh" || code=1
done
exit "$code"
