#!/usr/bin/env bash
# Runs the experiment of a step of docs/learn/learn.md: lesson.sh N [zh|en]
#
# It builds what the step needs, starts it, shows the fault, and says what was seen and why. It exits with 0 if exactly the
# faults were seen that the step is about, with 77 if this machine can't show them, and with 1 otherwise. Without a language
# it is that of the locale.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v python3 >/dev/null || { echo "lesson.sh: python3 is missing; install Python 3.11 or later" >&2; exit 1; }
exec python3 docs/learn/lessons "$@"
