"""TCP carries bytes and no messages: one server without framing and with it."""

import re
import socket
import sys

from program import hear_all, hears

TITLE = ("framing", "分帧")
FAULTS = ["two-sends-one-message", "one-message-in-two"]
SENT = 1000


def run(lesson):
    lesson.anyloop()  # is built first
    lesson.say("-- without framing: what a read returns is a message", "-- 不分帧：一次读到的就是一条消息")
    server = lesson.serve("--framing", "raw", "--language", "en")
    said = two_sends(server)
    if said == b"Message 1: onetwo":
        lesson.fault(
            FAULTS[0],
            "the client sent `one` and then `two` while the server was busy (SIGSTOP). Both were in the kernel's buffer "
            "when the server read, and the reply was: " + said.decode(),
            "服务器正忙时（用 SIGSTOP 让它停住），客户端先发送 `one`，再发送 `two`。服务器读的时候，两者都在内核的缓冲区里，"
            "回复是：" + said.decode())
    with server.connect() as client:
        client.sendall(b"hel")
        parts = hears(client, b"Message 1: hel")
        client.sendall(b"lo")
        parts = hears(client, b"Message 2: lo") and parts
    if parts:
        lesson.fault(
            FAULTS[1],
            "the client sent the first half of `hello`, and later the second. The server answered each: "
            "Message 1: hel, Message 2: lo",
            "客户端先发送 `hello` 的前半，后来才发送后半。服务器对两半各回复一次：Message 1: hel、Message 2: lo")
    raw = replies(server, b"x")

    lesson.say("-- with a line end after each message", "-- 每条消息以换行结尾")
    server = lesson.serve("--framing", "line", "--language", "en")
    with server.connect() as client:
        for piece in [b"hel", b"lo\non", b"e\ntwo\n"]:
            client.sendall(piece)
        whole = hears(client, b"Connected!\nMessage 1: hello\nMessage 2: one\nMessage 3: two\n")
    lesson.say(
        "The pieces `hel`, `lo⏎on`, `e⏎two⏎` were answered as hello, one, two: " + ("yes" if whole else "no"),
        "分段到达的 `hel`、`lo⏎on`、`e⏎two⏎` 被当作 hello、one、two 回复：" + ("是" if whole else "否"))
    line = replies(server, b"x\n")
    program = lesson.start(sys.executable, "docs/learn/programs/lines.py", "0")
    python = replies(program, b"x\n")
    lesson.figure(
        "replies to %d messages that were sent without waiting: without framing, with lines, lines.py" % SENT,
        "不等待回复、连续发送 %d 条消息得到的回复数：不分帧、按行、lines.py" % SENT,
        "%d, %d, %d" % (raw, line, python))
    if not whole or (line, python) != (SENT, SENT):
        sys.exit("lesson.sh: framing should have kept the messages apart")


def two_sends(server):
    """The reply to two messages that arrive while the server can't read."""
    with server.connect() as client:
        hears(client, b"Connected!")
        with server.paused():
            client.sendall(b"one")
            client.sendall(b"two")
        client.shutdown(socket.SHUT_WR)
        return hear_all(client)[0]


def replies(server, message):
    """How many replies come to messages that are sent one after the other."""
    with server.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # each is a packet of its own
        for _ in range(SENT):
            client.sendall(message)
        client.shutdown(socket.SHUT_WR)
        return len(re.findall(r"Message \d+: |第\d+條信息:", hear_all(client)[0].decode()))
