"""What the experiments of all steps share: they build and start programs, talk to them, and say what was seen.

Each text is given in English and in Chinese. Every program that a lesson starts ends with it.
"""

import contextlib
import os
import re
import resource
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

# How long an experiment waits for what must come. How long it waits for what must not come is up to the step.
PATIENCE = 30


class Lesson:
    """One run of a step's experiment."""

    def __init__(self, number, language, title):
        self.number, self.language = number, language
        self.programs, self.built, self.faults = [], set(), []
        self.say("== Step %d: %s" % (number, title[0]), "== 第 %d 步：%s" % (number, title[1]))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for program in reversed(self.programs):
            program.kill()

    # What is said.

    def say(self, english, chinese):
        """Prints a text."""
        print(chinese if self.language == "zh" else english, flush=True)

    def figure(self, english, chinese, value):
        """Prints a figure of this machine."""
        self.say("Figure: %s: %s" % (english, value), "数字：%s：%s" % (chinese, value))

    def fault(self, name, english, chinese):
        """Prints a fault that was seen, with the reason. `name` is that of the page, in both languages."""
        self.faults.append(name)
        self.say("Fault `%s`: %s" % (name, english), "故障 `%s`：%s" % (name, chinese))

    def end(self, expected):
        """Prints the faults. Returns the exit code: 0 if they are those that the step is about."""
        self.say("Faults seen: " + ", ".join(self.faults), "看到的故障：" + "、".join(self.faults))
        missing, other = sorted(set(expected) - set(self.faults)), sorted(set(self.faults) - set(expected))
        if missing:
            self.say("Expected, and not seen: " + ", ".join(missing), "预期而未看到：" + "、".join(missing))
        if other:
            self.say("Seen, and not expected: " + ", ".join(other), "看到而未预期：" + "、".join(other))
        return 1 if missing or other else 0

    def skip(self, english, chinese):
        """Ends the lesson since this machine can't show it, for a reason that is printed. The exit code is 77."""
        self.say("This step can't be shown here: " + english, "这一步无法在这里演示：" + chinese)
        sys.exit(77)

    # What is run.

    def binary(self, package, name):
        """The path of a program of the workspace, which is built if need be. In the folder LESSON_BIN are those of
        examples/learn; `learn` has the commands of all others."""
        folder = os.environ.get("LESSON_BIN")
        if folder:
            return os.path.join(folder, name if package == "anyloop-example-learn" else "learn")
        if not shutil.which("cargo"):
            sys.exit("lesson.sh: cargo is missing; install Rust 1.95 or later, as https://rustup.rs says")
        if name not in self.built:
            command = ["cargo", "build", "--release", "--locked", "--package", package, "--bin", name]
            print("$ " + shlex.join(command), flush=True)
            if subprocess.run(command).returncode != 0:
                sys.exit("lesson.sh: the build failed; the message above says why")
            self.built.add(name)
        return os.path.join(os.environ.get("CARGO_TARGET_DIR", "target"), "release", name)

    def anyloop(self):
        """The path of the command `anyloop`."""
        return self.binary("anyloop-cli", "anyloop")

    def learn(self):
        """The path of the command `anyloop` with the backends and handlers of examples/learn."""
        return self.binary("anyloop-example-learn", "learn")

    def kit(self, package, english, chinese):
        """Runs the conformance kit of a package, and requires that it passes. Tests of the pages run it by themselves."""
        command = ["cargo", "test", "--locked", "--package", package, "--test", "conformance", "--", "--quiet"]
        print("$ " + shlex.join(command), flush=True)
        if os.environ.get("LESSON_BIN"):
            return
        if subprocess.run(command).returncode != 0:
            sys.exit("lesson.sh: the kit failed; the message above says why")
        self.say(english + " The ignored tests are its cases over Unix sockets and through a transform.",
                 chinese + "被忽略（ignored）的测试是同样的用例在 Unix 套接字上、经过变换的变体。")

    def start(self, *command, **options):
        """Starts a program, and shows its command line."""
        name = "python3" if command[0] == sys.executable else os.path.relpath(command[0])
        print("$ " + shlex.join([name if os.sep in command[0] else command[0], *command[1:]]), flush=True)
        program = Program(command, **options)
        self.programs.append(program)
        return program

    def serve(self, *flags, program=None):
        """Starts `anyloop serve`, or that of another program, on a free port."""
        return self.start(program or self.anyloop(), "serve", "--listen", "127.0.0.1:0", *flags)

    def output(self, *command, **options):
        """Runs a program to its end. Returns what it printed on both outputs, and its exit code."""
        program = self.start(*command, **options)
        code = program.wait()
        return "\n".join(program.lines + program.errors), code


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
