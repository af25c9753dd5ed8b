"""Runs one step: python3 docs/learn/lessons N [zh|en]."""

import importlib
import os
import sys

from lesson import Lesson

STEPS = range(1, 13)


def main(arguments):
    number, language = arguments + [None] * (2 - len(arguments)) if len(arguments) < 3 else (None, None)
    if number not in map(str, STEPS) or language not in ("zh", "en", None):
        print("usage: docs/learn/lesson.sh N [zh|en], where N is a step from 1 to 12", file=sys.stderr)
        return 2
    if language is None:
        name = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
        language = "zh" if name.startswith("zh") else "en"
    step = importlib.import_module("step%02d" % int(number))
    with Lesson(int(number), language, step.TITLE) as lesson:
        step.run(lesson)
        return lesson.end(step.FAULTS)


sys.exit(main(sys.argv[1:]))
