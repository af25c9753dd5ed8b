"""Prints a comparison as a table in Markdown: `table.py target/peers/lines/report.json …`.

Each server has a row, and each figure its interval, if there are six rounds or more. `report.md` has the same figures
in a table for each load. A comparison with handwritten servers has several closed loops: then a row has the CPU per message
in each, its ratio to the handwritten server that is the counterpart of all, and the memory of an idle connection.
"""

import itertools
import json
import math
import statistics
import sys

HEADINGS = ["server", "CPU per message", "p99 latency", "messages/s at saturation", "CPU per message at saturation"]


def main():
    for path in sys.argv[1:] or sys.exit("table.py FILE…: each a report.json of `compare`"):
        with open(path) as file:
            report = json.load(file)
        closed = [index for index, shape in enumerate(report["shapes"]) if not shape["rate"]]
        if len(closed) > 1:
            print_loops(report, closed)
        else:
            print_table(report)


def print_table(report):
    verdicts = {(of["column"], of["subject"]): of for of in report["verdicts"]}
    rates = [shape["rate"] for shape in report["shapes"] if shape["rate"]]
    at = f" at {number(rates[0])}/s" if rates else ""
    headings = [heading + at if heading in HEADINGS[1:3] else heading for heading in HEADINGS]
    print(f"| {' | '.join(headings)} |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for index, subject in enumerate(report["subjects"]):
        name = subject["name"]
        of = [figure(verdicts.get((column, name))) for column in ("cpu_at_rate", "p99", "cpu_at_saturation")]
        if any(of):
            print(f"| {name} | {of[0]} | {of[1]} | {throughput(report, index)} | {of[2]} |")
    print()


def print_loops(report, shapes):
    """A row for each server: its CPU per message in each of these loads, and its memory."""
    subjects = report["subjects"]
    rival = next((index for index, subject in enumerate(subjects) if is_rival(subject)), None)
    loops = [heading for shape in shapes for heading in (report["shapes"][shape]["name"], "ratio")]
    headings = ["server", *loops, "bytes of an idle client"]
    print(f"| {' | '.join(headings)} |")
    print("| --- |" + " ---: |" * (len(headings) - 1))
    for index, subject in enumerate(subjects):
        if not any(subject.get(why) for why in ("control_of", "failed", "unavailable")):
            costs = [cell for shape in shapes for cell in cost(report, shape, index, rival)]
            print(f"| {' | '.join([subject['name'], *costs, idle(report, index)])} |")
    print()


def is_rival(subject):
    """Whether it is handwritten, careful, and the counterpart of all backends."""
    by_hand = subject["kind"].get("Handwritten") if isinstance(subject["kind"], dict) else None
    return by_hand is not None and by_hand["of"] is None and by_hand["care"] == "Careful"


def cost(report, shape, subject, rival):
    """The CPU time of the server for each message, and its ratio to that of the rival in the same rounds."""

    def by_round(of):
        samples = [one for one in report["samples"] if one["shape"] == shape and one["subject"] == of]
        costs = {one["round"]: one["cpu_user"] + one["cpu_system"] for one in samples}
        return {number: cost for number, cost in costs.items() if cost > 0}

    own, others = by_round(subject), by_round(rival)
    if not own:
        return "", ""
    ratios = [own[number] / others[number] for number in own.keys() & others.keys()]
    return time(centre(own.values())), f"{centre(ratios):.2f}" if ratios and subject != rival else ""


def idle(report, subject):
    """The slope of the memory over the number of idle connections: the median of all passes."""
    passes = {}
    for one in report["memory"]:
        if one["subject"] == subject:
            passes.setdefault(one.get("pass", 0), []).append((one["connections"], one["bytes"]))
    slopes = [statistics.linear_regression(*zip(*points)).slope for points in passes.values() if len(points) > 1]
    return f"{statistics.median(slopes):,.0f}" if slopes else ""


def figure(verdict):
    """A figure and its interval; nothing if it was not measured."""
    if verdict is None or verdict["figure"] is None:
        return ""
    text, interval = time(verdict["figure"]), verdict["interval"]
    if interval and (verdict["confidence"] or 0) >= 0.95:
        text += f" ({time(interval[0])} to {time(interval[1])})"
    return text


def throughput(report, subject):
    """The throughput of the closed loop with the most messages in flight, in the rounds in which the generator was not the bottleneck."""
    closed = [index for index, shape in enumerate(report["shapes"]) if not shape["rate"]]
    if not closed:
        return ""
    saturated = max(closed, key=lambda index: report["shapes"][index]["connections"] * report["shapes"][index]["depth"])
    samples = [of for of in report["samples"] if of["subject"] == subject and of["shape"] == saturated]
    rates = [of["rate"] for of in samples if not of["generator_limited"] and of["rate"] > 0]
    if samples and 2 * len(rates) <= len(samples):
        return "limited by the generator"
    return number(centre(rates)) if rates else ""


def centre(values):
    """The median of the means of all pairs, as in the report."""
    logarithms = [math.log(value) for value in values]
    pairs = itertools.combinations_with_replacement(logarithms, 2)
    return math.exp(statistics.median(sum(pair) / 2 for pair in pairs))


def time(microseconds):
    if microseconds >= 1000:
        return f"{number(microseconds / 1000)} ms"
    return f"{number(microseconds)} µs"


def number(value):
    """Three significant digits."""
    for limit, suffix in ((1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{suffix}"
    return f"{value:.3g}"


main()
