#!/usr/bin/env python3
"""Serves all backends at once for a while, under a mixed load through fault proxies, with stops, kills and restarts.

Usage: benches/soak.py [--minutes 20] [--seed 1] [--restart-every 15] [--record FILE] [BACKEND ...]

Each backend has a server on a fixed port, one proxy that applies all faults, and one that ends no connection. Its load
comes in rounds: `echo`, `work` that computes, blocks or answers later, and `fanout` with subscribers. Every so often a
server is stopped under load, killed under load, or stopped when it is idle. It is started again with the same handler,
or with the next one if it was idle, and `load --reconnect` goes on. With `--restart-every 0` each server has one life.

Fails with exit code 1 if a history has a violation, if replies or pushes are bad, if a drain isn't clean or a receipt
doesn't add up, or if the descriptors or threads of an idle server are more than when it had started. Slopes are least
squares over the life of a process. The slope of memory in the second half of a life of 15 minutes or more must be at most 2 MiB per
hour. It is not judged in a shorter one, where it shows how an allocator settles.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import queue
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from served import BACKENDS, PROGRAM, ROOT, Server, spawn

PROGRAMS = [PROGRAM, PROGRAM.with_name("anyloop-fault-proxy")]
GENTLE = "delay,jitter,split,coalesce,stall,throttle"  # the faults that end no connection
WORK = ["cpu:50us", "cpu:200us", "block:1ms", "wait:2ms"]
SAMPLE_EVERY = 2.0  # seconds
SPARE = 12.0  # seconds after which a server has no spare threads left: these end after 10
IDLE_TIMEOUT = 40.0  # seconds in which a server without clients has to return to its baseline
SETTLING = 20.0  # seconds after the start whose samples have no part in a slope
LONG = 900.0  # seconds of a life whose memory is judged
MOST_GROWTH = 2048  # KiB per hour, in the second half of a long life


class Life:
    """The life of one process of a server, with samples of what it holds."""

    def __init__(self, backend, handler, server, baseline=None):
        self.backend, self.handler, self.server, self.baseline = backend, handler, server, baseline
        self.start = time.monotonic()
        self.samples = []  # (seconds, KiB, descriptors, threads)
        self.end = "?"

    def sample(self):
        """Samples the process, unless it has ended."""
        if held := self.server.holds():
            self.samples.append((time.monotonic() - self.start, *held))

    def late(self):
        """The samples of the second half."""
        return [sample for sample in self.samples if sample[0] > self.samples[-1][0] / 2]


def slope(samples, field):
    """The least-squares slope of a field per hour, after the settling time: `None` with fewer than 5 samples."""
    points = [(sample[0], sample[field]) for sample in samples if sample[0] >= SETTLING]
    if len(points) < 5:
        return None
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return 3600 * sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else None


def free_ports(count):
    """Ports that no connection takes by itself, since they are below those that the system gives to clients."""
    least = int(open("/proc/sys/net/ipv4/ip_local_port_range").read().split()[0])
    ports = []
    for port in random.Random(os.getpid()).sample(range(10_000, least), 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                ports.append(port)
            except OSError:
                continue
        if len(ports) == count:
            return ports
    raise SystemExit("there are not enough free ports")


class Driver(threading.Thread):
    """Serves one backend, and gives it load until it is told to end."""

    def __init__(self, backend, port, folder, programs, seed, ended):
        super().__init__(name=backend)
        self.backend, self.port, self.folder, self.ended = backend, port, folder, ended
        self.program, self.proxy_program = programs
        self.random = random.Random(f"{seed} {backend}")
        self.handlers = ["echo", "work", "fanout"] if backend != "sequential" else ["echo", "work"]
        self.handler = self.random.randrange(len(self.handlers))
        self.baselines = {}  # by the last of the handler's flags
        self.stops = queue.Queue()
        self.lives, self.faults, self.proxies = [], [], []
        self.life = self.load = None
        self.count = dict.fromkeys(
            "rounds connections answered unknown refused pushes missed stops kills idle_stops checks".split(), 0
        )

    def fault(self, text):
        self.faults.append(f"`{self.backend}`: {text}")
        print(f"FAULT {self.backend}: {text}", flush=True)

    def run(self):
        try:
            self.measure_baselines()
            self.serve()
            self.proxies = [self.proxy("all", []), self.proxy("gentle", ["--faults", GENTLE])]
            while not self.ended.is_set():
                self.round()
                if not self.ended.is_set() and self.random.random() < 0.2:
                    self.wait_until_idle()
            self.wait_until_idle()
            self.stop("end")
        except Exception as error:  # the others go on, and the verdict tells
            self.fault(f"the driver failed: {error!r}")
        finally:
            for process in [self.load, self.life and self.life.server.process, *(proxy for proxy, _ in self.proxies)]:
                if process and process.poll() is None:
                    process.kill()
                    process.wait()

    def proxy(self, name, faults):
        seed = str(self.random.randrange(1 << 32))
        arguments = [self.proxy_program, "--to", f"127.0.0.1:{self.port}", "--seed", seed, "--chance", "0.3", *faults]
        return spawn(arguments, self.folder / f"{self.backend}-proxy-{name}.log")

    def serve(self):
        handler, number = self.handlers[self.handler], len(self.lives)
        flags = ["--handler", handler]
        flags += ["--work", self.random.choice(WORK)] if handler == "work" else []
        server = self.launch(flags, number, self.port)
        self.life = Life(self.backend, " ".join(flags[1::2]), server, self.baselines[flags[-1]])
        self.life.sample()
        self.lives.append(self.life)

    def launch(self, flags, number, port):
        receipt, log = self.folder / f"{self.backend}-{number}.receipt", self.folder / f"{self.backend}-server.log"
        return Server(["--backend", self.backend, *flags], receipt, log, f"127.0.0.1:{port}", self.program)

    def measure_baselines(self):
        """What a server holds when its only client has left: runtimes start threads with the first client."""
        works = [["--handler", "work", "--work", work] for work in WORK]
        servers = {}
        for flags in [["--handler", "echo"], ["--handler", "fanout"], *works]:
            server = servers[flags[-1]] = self.launch(flags, "baseline", 0)
            with socket.create_connection(server.address.split(":")) as client:
                client.sendall(b"x\n")
                client.recv(2)
        time.sleep(SPARE)
        for name, server in servers.items():
            self.baselines[name] = server.holds()
            server.kill()

    def round(self):
        """A load of some seconds, under which the server may be stopped; and what its history shows."""
        self.count["rounds"] += 1
        handler, is_one = self.handlers[self.handler], self.backend == "sequential"
        history, measured = self.folder / f"{self.backend}.history", self.folder / f"{self.backend}.json"
        seconds, size = self.random.randint(6, 15), self.random.choice(["20", "uniform:20-2000", "list:32,4000"])
        _, address = self.proxies[1 if handler == "fanout" else 0]
        arguments = [self.program, "load", address, "--json", measured, "--duration", f"{seconds}s", "--warmup", "0"]
        arguments += ["--threads", "1", "--seed", str(self.random.randrange(1 << 32)), "--allow-refusals"]
        if handler == "fanout":
            arguments += ["--expect", "ok", "--connections", "4", "--rate", "100", "--subscribe", "8"]
            arguments += ["--message-size", "uniform:40-400"]
        else:
            arguments += ["--expect", "echo", "--reconnect", "--history", history, "--message-size", size]
            arguments += ["--connections", "1" if is_one else "16", "--depth", self.random.choice(["1", "4"])]
            arguments += ["--rate", self.random.choice(["50", "300", "600"])]
            if not is_one and self.random.random() < 0.5:
                arguments += ["--idle", "8", "--slow-writers", "2"]
        for file in [history, measured]:
            file.unlink(missing_ok=True)
        log = open(self.folder / f"{self.backend}-load.log", "ab")
        self.load = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=log)
        is_idle_stop = False
        while self.load.poll() is None:
            try:
                kind = self.stops.get(timeout=0.1)
            except queue.Empty:
                kind = None
            if kind == "idle":
                is_idle_stop = True
            elif kind:
                self.stop(kind)
                self.serve()
            if self.life.server.process.poll() is not None:
                self.fault(f"the server ended by itself with {self.life.server.process.returncode}")
                self.serve()
        self.judge(history, measured)
        if is_idle_stop:
            self.wait_until_idle()
            self.stop("idle")
            self.handler = (self.handler + 1) % len(self.handlers)
            self.serve()

    def judge(self, history, measured):
        """Counts what a round has shown."""
        if history.exists():
            verify = [self.program, "verify", history, "--format", "json"]
            judged = subprocess.run(verify, capture_output=True, text=True)
            try:
                verdict = json.loads(judged.stdout)
            except ValueError:
                return self.fault(f"no verdict: {judged.stderr.strip()}")
            for field in ["connections", "answered", "unknown", "refused"]:
                self.count[field] += verdict[field]
            if verdict["violations"] or not verdict["is_complete"]:
                kept = self.folder / f"violation-{self.backend}-{self.count['rounds']}"
                history.rename(kept)
                self.fault(f"{len(verdict['violations'])} violations, {kept}: {verdict['violations'][:2]}")
        if not measured.exists():
            # There was no server at the start of the load.
            return None if self.load.returncode == 3 else self.fault(f"load ended with {self.load.returncode}")
        measurement = json.loads(measured.read_text())
        verification, pushes = measurement["verification"], measurement.get("pushes")
        bad = {field: verification[field] for field in "doubled reordered foreign wrong extra lost".split()}
        if pushes:
            self.count["pushes"] += pushes["delivered"]
            self.count["missed"] += pushes["missed"]
            bad |= {f"pushes {field}": pushes[field] for field in "wrong doubled reordered".split()}
        if any(bad.values()):
            examples = verification["examples"] + (pushes["examples"] if pushes else [])
            self.fault(f"bad replies in {self.life.handler}: {bad}, {examples[:2]}")
        return None

    def wait_until_idle(self):
        """Waits until the server holds no more than at its start."""
        self.count["checks"] += 1
        deadline = time.monotonic() + IDLE_TIMEOUT
        _, descriptors, threads = self.life.baseline
        while (held := self.life.server.holds()) and (held[1] > descriptors or held[2] > threads):
            if time.monotonic() > deadline:
                self.fault(
                    f"{self.life.handler}: {held[1]} descriptors and {held[2]} threads when idle, at the start "
                    f"{descriptors} and {threads}"
                )
                break
            time.sleep(0.2)

    def stop(self, kind):
        """Stops the server, and checks how it ended."""
        life = self.life
        life.sample()
        life.end = kind
        growth = slope(life.late(), 1)
        if growth and growth > MOST_GROWTH and life.samples[-1][0] >= LONG:
            self.fault(f"{life.handler}: memory grew by {growth:,.0f} KiB per hour in the second half")
        self.count[{"kill": "kills", "busy": "stops"}.get(kind, "idle_stops")] += 1
        if kind == "kill":
            return life.server.kill()
        for fault in life.server.stop()[1]:
            self.fault(f"{life.handler}, stopped ({kind}): {fault}")
        return None


def number(value, digits=0):
    return "" if value is None else f"{value:,.{digits}f}"


def record(drivers, options, commit, seconds):
    """The result as Markdown."""
    command = "benches/soak.py " + " ".join(sys.argv[1:])
    faults = [fault for driver in drivers for fault in driver.faults]
    lines = [
        "# Soak",
        "",
        f"{datetime.date.today()}, commit {commit}, {os.cpu_count()} cores, "
        f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}, shared with other work; "
        f"{seconds / 60:.1f} minutes, seed {options.seed}:",
        "",
        "```sh",
        command.strip(),
        "```",
        "",
        "All backends at once, each behind fault proxies"
        + (", with stops and kills under load." if options.restart_every else ", each with one life."),
        "",
        "| backend | rounds | connections | checked pairs | unknown | pushes | stops under load | kills | idle stops "
        "| checks against the baseline |",
        "| --- " * 10 + "|",
    ]
    for driver in drivers:
        fields = "rounds connections answered unknown pushes stops kills idle_stops checks".split()
        lines.append(f"| `{driver.backend}` | " + " | ".join(number(driver.count[name]) for name in fields) + " |")
    lines += ["", f"Faults: {len(faults) or 'none'}.", *(f"\n- {fault}" for fault in faults), ""]
    lines += [
        f"Each life of a server of at least 60 s. Slopes are per hour, after {SETTLING:.0f} s; resident memory in KiB.",
        "",
        "| backend | handler | seconds | memory at the start | at the end | most | slope | slope of the second half "
        "| descriptors at the start, most | slope | threads at the start, most | slope | end |",
        "| --- " * 13 + "|",
    ]
    for life in (life for driver in drivers for life in driver.lives):
        if not life.samples or life.samples[-1][0] < 60:
            continue
        first, last = life.samples[0], life.samples[-1]
        most = [max(sample[field] for sample in life.samples) for field in range(4)]
        lines.append(
            f"| `{life.backend}` | {life.handler} | {last[0]:.0f} | {first[1]} | {last[1]} | {most[1]} "
            f"| {number(slope(life.samples, 1))} | {number(slope(life.late(), 1))} "
            f"| {first[2]}, {most[2]} | {number(slope(life.samples, 2))} "
            f"| {first[3]}, {most[3]} | {number(slope(life.samples, 3))} | {life.end} |"
        )
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--restart-every", type=float, default=15, metavar="SECONDS")
    parser.add_argument("--record", type=pathlib.Path, metavar="FILE")
    parser.add_argument("backends", nargs="*", metavar="BACKEND")
    options = parser.parse_args()
    if not all(program.exists() for program in PROGRAMS):
        raise SystemExit("build first: cargo build --release -p anyloop-cli -p anyloop-fault-proxy")
    chosen = options.backends or BACKENDS
    ended, chance = threading.Event(), random.Random(options.seed)
    for ending in [signal.SIGINT, signal.SIGTERM]:
        signal.signal(ending, lambda *_: ended.set())
    folder = pathlib.Path(tempfile.mkdtemp(prefix="anyloop-soak-"))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    # Of their own, so that a build meanwhile changes nothing.
    programs = [shutil.copy2(program, folder) for program in PROGRAMS]
    drivers = [
        Driver(backend, port, folder, programs, options.seed, ended)
        for backend, port in zip(chosen, free_ports(len(chosen)))
    ]
    start = time.monotonic()
    for driver in drivers:
        driver.start()
    next_stop, deck = start + SPARE + options.restart_every, []
    while not ended.wait(SAMPLE_EVERY) and time.monotonic() < start + 60 * options.minutes:
        for driver in drivers:
            if driver.life:
                driver.life.sample()
        if options.restart_every and time.monotonic() >= next_stop:
            next_stop += options.restart_every
            if not deck:
                deck = [(driver, kind) for driver in drivers for kind in ["busy", "busy", "idle", "kill"]]
                chance.shuffle(deck)
            driver, kind = deck.pop()
            driver.stops.put(kind)
    ended.set()
    for driver in drivers:
        driver.join()
    errors = [
        f"{log.name}: {line.strip()}"
        for log in folder.glob("*-server.log")
        for line in log.read_text(errors="replace").splitlines()
        if "ERROR" in line or "panicked" in line
    ]
    drivers[0].faults += errors
    text = record(drivers, options, commit.stdout.strip(), time.monotonic() - start)
    print(text)
    if options.record:
        options.record.parent.mkdir(parents=True, exist_ok=True)
        options.record.write_text(text)
    if any(driver.faults for driver in drivers):
        raise SystemExit(f"there were faults; logs and histories are in {folder}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
