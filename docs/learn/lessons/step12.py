"""A stall that a closed loop hides and an open loop shows, and a comparison of the backends."""

import os
import subprocess
import sys
import time

from loads import load, measured
from program import hears

TITLE = ("compare all, on this machine", "在这台机器上比较全部")
FAULTS = ["a-closed-loop-hides-a-stall"]

CONNECTIONS = 4
RATE = 1000
LONG = 100e6  # nanoseconds
NO_VERDICT = 3  # an exit code of `compare`


def run(lesson):
    delayed = {}
    for name, chinese, flags in [("closed", "闭环", ()), ("open", "开环", ("--rate", str(RATE)))]:
        server = lesson.serve("--backend", "epoll", "--workers", "1", "--handler", "careless", program=lesson.learn())
        with server.connect() as other:
            other.sendall(b"hello\n")
            hears(other, b"hello\n")
            before = server.descriptors
            running = load(lesson, server, "--connections", str(CONNECTIONS), "--duration", "2s", *flags)
            while server.descriptors < before + CONNECTIONS and running.process.poll() is None:
                time.sleep(0.01)
            time.sleep(0.3)
            other.sendall(b"sleep 1000\n")
            result, _ = measured(running)
        server.kill()
        values = result["latency"]["values"]
        delayed[name] = sum(count for value, count in values if value > LONG)
        percentiles = result["latency"]["percentiles"]
        lesson.figure("%s loop: messages, those that took longer than 100 ms, the median and p99" % name,
                      "%s：消息数、超过 100 毫秒的消息数、中位数和 p99" % chinese,
                      "%d, %d, %.2f ms, %.2f ms" % (result["latency"]["count"], delayed[name], percentiles["p50"] / 1000,
                                                   percentiles["p99"] / 1000))
    if delayed["closed"] <= RATE // 20 < RATE // 2 < delayed["open"]:
        lesson.fault(
            FAULTS[0],
            "the server stalled for a second. In the closed loop each of the %d connections had one message waiting, and sent "
            "no other: %d messages were slow. In the open loop a message was due each millisecond: %d were slow."
            % (CONNECTIONS, delayed["closed"], delayed["open"]),
            "服务器停顿了一秒。闭环里 %d 个连接各有一条消息在等，不再发送别的：只有 %d 条消息变慢。开环里每毫秒都该发一条：%d 条变慢。"
            % (CONNECTIONS, delayed["closed"], delayed["open"]))

    command = [lesson.anyloop(), "compare", "--quick", "--output", "target/learn-report"]
    print("$ anyloop " + " ".join(command[1:]), flush=True)
    if os.environ.get("LESSON_BIN"):
        return  # other tests run it
    code = subprocess.run(command).returncode
    if code not in (0, NO_VERDICT):
        sys.exit("lesson.sh: the comparison failed; the messages above say why")
    lesson.say("The table above is also in target/learn-report/report.html, with all figures.",
               "上面的表格也在 target/learn-report/report.html 里，带有全部数字。")
