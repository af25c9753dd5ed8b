"""Two epoll loops that do the wrong thing after a turn, and one that does the right thing."""

import select

from program import hears, is_silent

TITLE = ("epoll, edges, fairness", "epoll、边缘触发与公平")
FAULTS = ["forgets-input-after-a-turn", "serves-one-client-until-it-is-done"]

MANY = 1000
FLOOD = 20_000


def run(lesson):
    server = lesson.serve("--backend", "forgetful", "--handler", "ack", program=lesson.learn())
    with server.connect() as client:
        hears(client, b"Hello World!\n")
        client.sendall(b"few\n" * 10)
        few = count(client, 10)
        client.sendall(b"many\n" * MANY)
        first = count(client, MANY)
        client.sendall(b"one more\n")
        second = count(client, MANY)
    if few == 10 and first < MANY:
        lesson.fault(
            FAULTS[0],
            "10 messages at once got 10 replies. %d messages at once got %d, then silence, although all had arrived. The "
            "loop answers at most 64 in a turn, and then waits for an event, which comes only when something arrives. One "
            "further message was such an event: %d more replies came." % (MANY, first, second),
            "一次发 10 条消息，收到 10 条回复。一次发 %d 条，收到 %d 条，然后就没有了，尽管消息已全部到达。循环每轮最多回复 64 条，"
            "然后等待事件，而只有新数据到达才产生事件。再发一条消息就是这样的事件：又来了 %d 条回复。" % (MANY, first, second))

    waited = {}
    for backend, flags in [("greedy", ()), ("epoll", ("--workers", "1"))]:
        server = lesson.serve("--backend", backend, "--handler", "work", "--work", "cpu:50us", *flags,
                              program=lesson.learn())
        for _ in range(1 if backend == "greedy" else 3):  # this process may itself be too slow to send the message in time
            waited[backend] = flood(server)
            if waited[backend] < FLOOD:
                break
    if waited["greedy"] == FLOOD > waited["epoll"]:
        lesson.fault(
            FAULTS[1],
            "a client sent %d messages at once, and then another client sent one. It was answered after all of them."
            % FLOOD,
            "一个客户端一次发出 %d 条消息，然后另一个客户端发出一条。它要等前者的全部消息都处理完才得到回复。" % FLOOD)
    lesson.figure("messages of the first client before the second was answered, greedy", "第二个客户端得到回复前处理的消息数，greedy",
                  waited["greedy"])
    lesson.figure("the same, epoll", "同上，epoll", waited["epoll"])
    lesson.say("The backend `epoll` puts a client that has had its turn into a queue, and serves the others first.",
               "后端 `epoll` 把用完一轮的客户端放进队列，先服务其他客户端。")
    lesson.kit("anyloop-backend-epoll",
               "The kit passes. Its case `replies_in_order_when_pipelined` finds the first of the two faults, and "
               "`client_with_much_input_does_not_go_first` the second.",
               "测试套件通过。其中的用例 `replies_in_order_when_pipelined` 能发现第一个故障，"
               "`client_with_much_input_does_not_go_first` 能发现第二个。")


def count(client, most):
    """Counts the lines that come until there are `most`, or silence."""
    lines = 0
    while lines < most and not is_silent(client, 1):
        lines += client.recv(65536).count(b"\n")
    return lines


def flood(server):
    """How many messages of one client are answered before the message of another one is."""
    with server.connect() as first, server.connect() as second:
        second.sendall(b"hello\n")
        hears(second, b"hello\n")
        first.sendall(b"x\n" * FLOOD)
        lines = first.recv(65536).count(b"\n")
        second.sendall(b"hello\n")
        while True:
            readable, _, _ = select.select([first, second], [], [])
            # What had been sent to the first client before is there, and is counted before the reply of the second.
            if first in readable:
                lines += first.recv(1 << 20).count(b"\n")
            elif second in readable:
                return lines
