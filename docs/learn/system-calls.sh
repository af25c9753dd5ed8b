#!/usr/bin/env bash
# Counts the system calls of each backend for the same messages of one client: system-calls.sh [MESSAGES]
#
# It needs strace. The default are 2000 messages, each sent when the reply to the one before has come.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v python3 >/dev/null || { echo "system-calls.sh: python3 is missing; install Python 3.11 or later" >&2; exit 1; }
command -v strace >/dev/null || { echo "system-calls.sh: strace is missing; install the package strace" >&2; exit 77; }
exec python3 docs/learn/lessons/system_calls.py "${1:-2000}"
