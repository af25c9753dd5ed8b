"""A running program, and what its clients hear from it."""

import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

# How long an experiment waits for what must come. How long it waits for what must not come is up to the step.
PATIENCE = 30


class Program:
    """A running program, whose outputs are read as they come."""

    def __init__(self, command, **options):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANYLOOP_")}
        environment.update(PYTHONUTF8="1", **options.pop("environment", {}))
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment, start_new_session=True, **options)
        self.lines, self.errors, self.changed = [], [], threading.Condition()
        self.readers = [threading.Thread(target=self._read, args=pair, daemon=True) for pair in
                        [(self.process.stdout, self.lines), (self.process.stderr, self.errors)]]
        for reader in self.readers:
            reader.start()

    def _read(self, stream, lines):
        for line in stream:
            with self.changed:
                lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()

    def wait_for(self, pattern):
        """Waits for a line of either output that matches, and returns the match."""
        def find():
            return next((found for line in self.lines + self.errors if (found := re.search(pattern, line))), None)
        with self.changed:
            is_over = lambda: not any(reader.is_alive() for reader in self.readers)
            self.changed.wait_for(lambda: find() or is_over(), PATIENCE)
            found = find()
        if not found:
            sys.exit("lesson.sh: no line matches `%s`:\n%s" % (pattern, "\n".join(self.lines + self.errors)))
        return found

    @property
    def port(self):
        """The port that it listens at, as its first line says."""
        return int(self.wait_for(r"listening on \S+:(\d+)").group(1))

    def connect(self, timeout=PATIENCE):
        """A client's socket, whose calls fail after `timeout` seconds."""
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def wait(self, timeout=PATIENCE):
        """Waits until it ends. Returns the exit code, or None if it goes on for longer than `timeout` seconds."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        for reader in self.readers:
            reader.join(PATIENCE)
        return code

    @property
    def descriptors(self):
        """The number of files and sockets that it has open."""
        return len(os.listdir("/proc/%d/fd" % self.process.pid))

    @property
    def threads(self):
        """The number of its threads."""
        return len(os.listdir("/proc/%d/task" % self.process.pid))

    @property
    def memory(self):
        """The bytes of memory that it has in use, without what the kernel uses for it."""
        with open("/proc/%d/smaps_rollup" % self.process.pid) as file:
            return next(int(line.split()[1]) << 10 for line in file if line.startswith("Rss:"))

    @property
    def cpu_time(self):
        """The seconds of CPU time that it has used, in the kernel and outside. The clock is that of clock_getcpuclockid(3)."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def wait_until_it_sleeps(self):
        """Waits until its first thread waits for something."""
        while open("/proc/%d/stat" % self.process.pid).read().rpartition(")")[2].split()[0] != "S":
            time.sleep(0.001)

    @contextlib.contextmanager
    def paused(self):
        """Stops it for a while. It goes on with all that has arrived meanwhile."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)  # until all its threads have stopped
        yield
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        """Asks it to end, and waits for it."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        """Ends it at once, with the processes that it started."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def hears(client, expected):
    """Reads until `expected` has come, and returns whether it did. Less comes if the server ends, or is silent."""
    heard = b""
    try:
        while expected not in heard and (more := client.recv(65536)):
            heard += more
    except (TimeoutError, ConnectionError):
        pass
    return expected in heard


def hear_all(client):
    """Reads until the server ends the conversation. Returns what came, and the error if it was a reset."""
    heard, error = b"", None
    try:
        while more := client.recv(65536):
            heard += more
    except ConnectionError as reset:
        error = reset
    return heard, error


def is_silent(client, seconds=2):
    """Whether nothing comes, and the conversation goes on, for so long. What comes stays to be read."""
    client.settimeout(seconds)
    try:
        client.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        return True
    finally:
        client.settimeout(PATIENCE)
    return False


def raise_descriptors(number):
    """Lets this process and those that it starts have `number` more files open, and ends it if it may not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = number + 100
    if hard != resource.RLIM_INFINITY and hard < most:
        sys.exit("lesson.sh: it needs %d open files, and the limit is %d; raise it with `ulimit -Hn`" % (most, hard))
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
