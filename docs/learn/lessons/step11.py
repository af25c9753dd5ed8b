"""A seed of the simulation that finds a lost edge."""

import os
import re
import subprocess
import sys

TITLE = ("the simulation finds a lost wake-up", "模拟找到一次丢失的唤醒")
FAULTS = ["a-wake-up-was-lost"]

CANARY = "takes every read for the last"


def run(lesson):
    program, number = build(lesson), seed()
    output, code = lesson.output(program, "--canary", CANARY, "--seed", number, "--trace")
    lines = output.splitlines()
    options = [line for line in lines if line.startswith(("driving", "Faults", "Behavior"))]
    lesson.say("What the seed has drawn:", "这个种子抽到的条件：")
    print("\n".join("    " + line for line in options))
    end = next(index for index, line in enumerate(lines) if line.startswith("VIOLATION"))
    steps = sum(line.startswith(tuple("0123456789")) for line in lines[:end])
    lesson.say("The last of %d steps:" % steps, "%d 步中的最后几步：" % steps)
    print("\n".join("    " + line for line in lines[end - 8:end + 1]))
    fine, fine_code = lesson.output(program, "--seed", number)
    if code == 1 and "a wake-up was lost" in lines[end] and fine_code == 0:
        lesson.fault(
            FAULTS[0],
            "a read filled the buffer, so more input was in the socket. The server with the defect waited for an event all "
            "the same, and no event comes for input that has arrived. Without the defect, the same seed passes.",
            "一次读取填满了缓冲区，说明套接字里还有输入。带缺陷的服务器却去等待事件，而已经到达的输入不会再产生事件。去掉缺陷后，同一个种子通过。")
    many, _ = lesson.output(program, "--seed", "0", "--count", "100")
    lesson.figure("100 seeds without a defect", "没有缺陷的 100 个种子", many.splitlines()[-1])


def seed():
    """A seed that finds the defect. Another one does so when the simulation has changed, and a test keeps this list right."""
    with open("simulation/src/canary.rs") as source:
        line = next(line for line in source if '"%s"' % CANARY in line)
    return re.search(r"&\[(\d+)", line).group(1)


def build(lesson):
    """The path of the simulation with its defects. The build takes a minute or more, the first time."""
    command = ["cargo", "build", "--locked", "--target-dir", "target/canaries", "--package", "anyloop-simulation"]
    print('$ RUSTFLAGS="--cfg anyloop_canaries" ' + " ".join(command), flush=True)
    if subprocess.run(command, env={**os.environ, "RUSTFLAGS": "--cfg anyloop_canaries"}).returncode != 0:
        sys.exit("lesson.sh: the build failed; the message above says why")
    return "target/canaries/debug/anyloop-simulation"
