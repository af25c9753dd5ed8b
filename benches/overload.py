#!/usr/bin/env python3
"""Offers each backend twice what it can do: does it still do what it can?

Usage: benches/overload.py [--rounds 3] [--seconds 4] [--work cpu:200us] [--overload MODE]
                           [--record FILE] [BACKEND ...]

The capacity is measured in a closed loop, with as many connections as the server accepts. Then an open loop on twice as
many connections offers twice that rate. With `refuse` the connections beyond the limit are told `ERR busy`, and connect
again at once; with `queue` they wait in the backlog, and connections change after 50 messages. Rounds of both alternate.

Fails with exit code 1 if the rate of good answers is below 90 % of the capacity, by the median of the ratios within a
round, if a reply is bad, if a receipt doesn't add up, or if the memory after the last round is over 5/4 of that after the
first. The capacity differs from run to run on a machine that has other work, so a ratio needs several short rounds.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

from served import BACKENDS, PROGRAM, Server

CONNECTIONS = 64
LEAST = 0.9  # of the capacity
MOST_GROWTH = 1.25  # of the memory, which is that of all threads that the load has started


def load(server, folder, seconds, flags):
    """The measurement of a load."""
    file = folder / "measurement.json"
    file.unlink(missing_ok=True)
    arguments = [PROGRAM, "load", server.address, "--expect", "echo", "--duration", f"{seconds}s", "--json", file]
    # Without a warm-up, since in an overload its messages would still wait when the measured time begins.
    arguments += ["--warmup", "0", "--reply-timeout", "2s", "--allow-refusals", *flags]
    subprocess.run(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return json.loads(file.read_text())


def good(measurement):
    """How many replies were verified and right, and how many were not."""
    verification = measurement["verification"]
    bad = sum(verification[name] for name in "doubled reordered foreign wrong extra".split())
    return verification["replies"] - verification["refused"] - bad, bad


def measure(backend, mode, options, folder):
    """The row of the table of a backend and a mode, and its faults."""
    connections = 1 if backend == "sequential" else CONNECTIONS
    flags = ["--backend", backend, "--handler", "work", "--work", options.work]
    if backend != "sequential":  # which holds one, and lets the others wait
        flags += ["--max-connections", str(connections), "--overload", mode]
    server = Server(flags, folder / "receipt", folder / "log")
    peaks, rates, memory, answered, bad = [], [], [], 0, 0
    for _ in range(options.rounds):
        closed = load(server, folder, options.seconds, ["--connections", str(connections)])
        rate = 2 * closed["achieved_rate"]
        more = ["--reconnect"] if mode == "refuse" else ["--messages-per-connection", "50"]
        more += ["--connections", str(2 * connections), "--rate", f"{rate:.0f}"]
        overload = load(server, folder, options.seconds, more)
        peaks.append(closed["achieved_rate"])
        rates.append(overload["achieved_rate"])
        memory.append(server.holds()[0])
        for measurement in [closed, overload]:
            answered, bad = (sum(pair) for pair in zip((answered, bad), good(measurement)))
    receipt, faults = server.stop()
    ratios = sorted(rate / peak for rate, peak in zip(rates, peaks))
    peak, rate, ratio = statistics.median(peaks), statistics.median(rates), statistics.median(ratios)
    if ratio < LEAST:
        faults.append(f"the good answers are {ratio:.0%} of the capacity")
    if bad:
        faults.append(f"{bad} replies were bad")
    if receipt and receipt["messages"] < answered:
        faults.append(f"the receipt has {receipt['messages']} messages, but {answered} were answered")
    if memory[-1] > MOST_GROWTH * memory[0]:
        faults.append(f"memory grew from {memory[0]} to {memory[-1]} KiB")
    # Whoever is in the backlog at the stop is refused as well, for another reason.
    refused = receipt.get("reasons", {}).get("busy", 0)
    if mode == "refuse" and not refused or mode == "queue" and refused:
        faults.append(f"{refused} connections were refused")
    cells = [f"{peak:,.0f}", f"{rate:,.0f}", f"{ratio:.2f}, {ratios[0]:.2f} to {ratios[-1]:.2f}"]
    cells += [f"{refused:,}", f"{receipt.get('accepted', 0):,}"]
    cells += [f"{memory[0]:,}", f"{memory[-1]:,}", "none" if not faults else "see below"]
    return f"| `{backend}` | {mode} | {' | '.join(cells)} |", [f"`{backend}`, {mode}: {fault}" for fault in faults]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--work", default="cpu:200us")
    parser.add_argument("--overload", choices=["refuse", "queue"], nargs=1, default=["refuse", "queue"])
    parser.add_argument("--record", type=pathlib.Path, metavar="FILE")
    parser.add_argument("backends", nargs="*", metavar="BACKEND")
    options = parser.parse_args()
    if not PROGRAM.exists():
        raise SystemExit("build first: cargo build --release -p anyloop-cli")
    lines = [
        "# Overload",
        "",
        f"{datetime.date.today()}, {os.cpu_count()} cores, {platform.system()} "
        f"{'.'.join(platform.release().split('.')[:2])}, shared with other work:",
        "",
        "```sh",
        " ".join(["benches/overload.py", *sys.argv[1:]]),
        "```",
        "",
        f"Handler `work` with `{options.work}`. Capacity: closed loop, {CONNECTIONS} connections, of which `sequential` has "
        f"one. Overload: open loop at twice that rate on twice as many connections. Medians of {options.rounds} rounds "
        f"of {options.seconds} s each; memory is resident, in KiB.",
        "",
        "| backend | overload | capacity/s | good answers/s | ratio in a round, median and range "
        "| refused connections | accepted | memory after the first round | after the last | faults |",
        "| --- " * 10 + "|",
    ]
    print("\n".join(lines), flush=True)
    faults = []
    with tempfile.TemporaryDirectory(prefix="anyloop-overload-") as folder:
        for backend in options.backends or BACKENDS:
            for mode in ["queue"] if backend == "sequential" else options.overload:
                row, found = measure(backend, mode, options, pathlib.Path(folder))
                print(row, flush=True)
                lines.append(row)
                faults += found
    lines += ["", f"Faults: {len(faults) or 'none'}.", *(f"\n- {fault}" for fault in faults)]
    if options.record:
        options.record.parent.mkdir(parents=True, exist_ok=True)
        options.record.write_text("\n".join(lines) + "\n")
    if faults:
        raise SystemExit("\n".join(faults))


if __name__ == "__main__":
    main()
