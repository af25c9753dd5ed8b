"""Runs each backend under strace, and prints how often it made which system call: system_calls.py MESSAGES"""

import os
import signal
import sys
import tempfile

from lesson import Lesson
from program import hears

BACKENDS = ["sequential", "threads", "pool", "smol", "tokio", "epoll", "uring"]


def main(messages):
    tables = {}
    with Lesson(10, "en", ("the system calls of each backend", "")) as lesson, tempfile.TemporaryDirectory() as folder:
        for backend in BACKENDS:
            tables[backend] = count(lesson, backend, messages, os.path.join(folder, backend))
    names = {name for table in tables.values() for name in table}
    names = sorted(names, key=lambda name: -sum(table.get(name, 0) for table in tables.values()))
    # Calls that are few are those of the start and the end.
    shown = [name for name in names if max(table.get(name, 0) for table in tables.values()) >= max(messages // 20, 20)]
    others = {backend: sum(table.values()) - sum(table.get(name, 0) for name in shown) for backend, table in tables.items()}
    print("%-16s" % "" + "".join("%11s" % backend for backend in BACKENDS))
    for name in shown:
        print(("%-16s" % name + "".join("%11s" % (tables[backend].get(name) or "") for backend in BACKENDS)).rstrip())
    print("%-16s" % "others" + "".join("%11d" % others[backend] for backend in BACKENDS))
    print("%-16s" % "all" + "".join("%11d" % sum(tables[backend].values()) for backend in BACKENDS))


def count(lesson, backend, messages, file):
    """Serves this many messages of one client. Returns the number of each system call, with the start and the end."""
    server = lesson.start("strace", "-f", "-c", "-U", "name,calls", "-o", file, lesson.anyloop(), "serve", "--listen",
                          "127.0.0.1:0", "--backend", backend, "--handler", "echo", "--idle-timeout", "0")
    if not server.wait_for(r"(listening on)|error|strace: ").group(1):
        lesson.say("%s can't run here: %s" % (backend, server.errors[-1]), "")
        return {}
    with server.connect() as client:
        for _ in range(messages):
            client.sendall(b"hello\n")
            if not hears(client, b"hello\n"):
                sys.exit("system-calls.sh: %s has not answered a message" % backend)
    with open("/proc/%d/task/%d/children" % (server.process.pid, server.process.pid)) as children:
        os.kill(int(children.read()), signal.SIGTERM)
    server.wait()
    with open(file) as table:
        rows = [line.split() for line in table]
    return {name: int(calls) for name, calls, *_ in (row for row in rows if len(row) == 2) if calls.isdigit() and name != "total"}


if not sys.argv[1].isdecimal() or int(sys.argv[1]) == 0:
    print("usage: docs/learn/system-calls.sh [MESSAGES], where MESSAGES is a number above zero", file=sys.stderr)
    sys.exit(2)
main(int(sys.argv[1]))
