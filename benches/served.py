"""A server of `anyloop serve`, as a script sees it: what its process holds, and how it ends."""

import json
import os
import pathlib
import signal
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target/release/anyloop"
BACKENDS = ["sequential", "threads", "pool", "async-std", "smol", "tokio", "epoll", "uring"]
EXIT_TIMEOUT = 30.0  # seconds until a server that was told to stop has ended


def spawn(arguments, log):
    """Starts a program that prints `listening on ADDRESS` first: its process, and the address."""
    with open(log, "ab") as file:
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=file, text=True)
    line = process.stdout.readline()
    if not line.startswith("listening on "):
        raise RuntimeError(f"{arguments} printed {line!r}, see {log}")
    return process, line.split()[-1]


class Server:
    """A running server."""

    def __init__(self, flags, receipt, log, listen="127.0.0.1:0", program=PROGRAM):
        self.receipt_file = receipt
        arguments = [program, "serve", "--listen", listen, "--receipt", receipt, "--log-level", "warn", *flags]
        self.process, self.address = spawn(arguments, log)

    def holds(self):
        """The resident memory in KiB, the descriptors and the threads of the process: `None` if it has ended."""
        folder = f"/proc/{self.process.pid}"
        try:
            with open(f"{folder}/status") as file:
                status = dict(line.split(":", 1) for line in file if ":" in line)
            return int(status["VmRSS"].split()[0]), len(os.listdir(f"{folder}/fd")), int(status["Threads"])
        except (OSError, KeyError):
            return None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Stops it: its receipt, and what is wrong with how it ended."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(EXIT_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()
            return {}, [f"it did not end within {EXIT_TIMEOUT:.0f} s"]
        faults = [] if code == 0 else [f"exit code {code} after a stop"]
        try:
            receipt = json.loads(pathlib.Path(self.receipt_file).read_text())
        except (OSError, ValueError) as error:
            return {}, [*faults, f"no receipt: {error}"]
        outcomes = "finished drained cut timed_out refused failed".split()
        if receipt["accepted"] != sum(receipt[outcome] for outcome in outcomes):
            faults.append(f"the clients of a receipt don't add up: {receipt}")
        if receipt["pushed"] != sum(receipt[f"pushes_{end}"] for end in "delivered dropped refused".split()):
            faults.append(f"the pushes of a receipt don't add up: {receipt}")
        return receipt, faults
