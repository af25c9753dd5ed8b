"""Runs `anyloop load`. Steps 10 and 12 use it."""

import json


def load(lesson, server, *flags):
    """Starts a load on a server, whose replies are compared with the messages."""
    return lesson.start(lesson.anyloop(), "load", "127.0.0.1:%d" % server.port, "--handler", "echo", "--warmup", "0s", *flags,
                        "--format", "json")


def measured(load):
    """Waits for the end of a load. Returns what it has measured, and its exit code."""
    code = load.wait()
    return json.loads("\n".join(load.lines)), code
