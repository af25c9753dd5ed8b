"""A message that blocks its thread, on smol and on tokio, and messages that wait without a thread."""

import time

from delays import TIME, waits
from program import hears

TITLE = ("tasks: smol and tokio side by side", "任务：smol 与 tokio 并排")
FAULTS = ["a-task-that-blocks-freezes-smol", "a-task-that-blocks-freezes-tokio"]

MANY = 200


def run(lesson):
    for fault, runtime in zip(FAULTS, ["smol", "tokio"]):
        one = ("--backend", runtime, "--workers", "1")
        if waits(lesson, "sleep", 1, *one, "--handler", "careless", usually=True):
            lesson.fault(
                fault,
                "a message called `std::thread::sleep` for %d ms within a task of %s. A task gives its thread back only "
                "at an `await`, and there was none: the tasks of all other clients waited." % (TIME, runtime),
                "一条消息在 %s 的任务里调用了 `std::thread::sleep`，睡了 %d 毫秒。任务只在 `await` 处交还线程，而这里没有：其他客户端的任务都"
                "在等待。" % (runtime, TIME))
        if not waits(lesson, "sleep", 1, *one, "--handler", "declared", usually=False):
            lesson.say("With `fn blocking` the task handed its conversation to another thread and awaited it: nobody waited.",
                       "加上 `fn blocking` 后，任务把会话交给另一个线程并 await 它：没有人等待。")
        lesson.figure("until %d messages were answered that wait %d ms each, %s with 1 worker" % (MANY, TIME, runtime),
                      "%d 条各等待 %d 毫秒的消息全部得到回复所用时间，%s，1 个工作线程" % (MANY, TIME, runtime),
                      "%.0f ms" % all_answered(lesson, *one))
    lesson.say("Those messages did not sleep on the worker. The handler kept the `out.later()` of each with the time at which it is "
               "due, and the worker served the others.",
               "这些消息没有在工作线程上睡眠。处理程序为每条消息保存它的 `out.later()` 和到期时刻，工作线程继续服务其他客户端。")
    for runtime in ["smol", "tokio"]:
        lesson.kit("anyloop-backend-" + runtime, "The kit passes.", "测试套件通过。")


def all_answered(lesson, *flags):
    """The milliseconds until many clients are answered whose messages wait without a thread."""
    server = lesson.serve(*flags, "--handler", "work", "--work", "wait:%dms" % TIME)
    clients = [server.connect() for _ in range(MANY)]
    begin = time.monotonic()
    for client in clients:
        client.sendall(b"hello\n")
    for client in clients:
        hears(client, b"hello\n")
    time_taken = time.monotonic() - begin
    for client in clients:
        client.close()
    server.kill()
    return 1000 * time_taken
