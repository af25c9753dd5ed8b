"""One client at a time: what the second one waits for."""

import sys

from program import hears, is_silent

TITLE = ("one client at a time", "一次一个客户端")
FAULTS = ["silent-client-blocks-all", "unread-replies-block-all"]


def run(lesson):
    server = lesson.serve("--backend", "sequential", "--language", "en")
    with server.connect() as first:
        first.sendall(b"hello\n")
        hears(first, b"Message 1: hello\n")
        second = server.connect()  # the kernel makes the connection; the server has not accepted it
        second.sendall(b"me too\n")
        waited = is_silent(second)
    if waited and hears(second, b"Connected!\nMessage 1: me too\n"):
        lesson.fault(
            FAULTS[0],
            "the first client had its reply and said nothing more. The second was connected, sent a message, and heard "
            "nothing for 2 s. When the first had left, it got its greeting and its reply.",
            "第一个客户端得到回复后不再说话。第二个已连接，发送了一条消息，2 秒内什么也没有收到。第一个离开后，它得到了问候和回复。")
    second.close()

    with server.connect() as first:
        hears(first, b"Connected!\n")
        unread = fill(first)
        second = server.connect()
        second.sendall(b"me too\n")
        waited = is_silent(second, 1)
    if waited and hears(second, b"Connected!\nMessage 1: me too\n"):
        lesson.fault(
            FAULTS[1],
            "the first client sent messages and read no reply. Both buffers of the kernel filled, and the server waited "
            "for room to write; so did the second client.",
            "第一个客户端不断发送消息而不读回复。内核两边的缓冲区都满了，服务器等着能写入；第二个客户端也只好等。")
        lesson.figure(
            "KiB of messages that the kernel and the server took from a client that reads nothing",
            "一个什么都不读的客户端，内核和服务器收下了它多少 KiB 的消息", unread >> 10)
    second.close()

    server = lesson.start(sys.executable, "docs/tutorial/server.py", "0")
    with server.connect() as first:
        hears(first, "連接成功!".encode())
        waiting, _ = lesson.output(sys.executable, "docs/learn/solutions/step03.py", str(server.port))
    lesson.figure(
        "clients that connected to server.py while it served another; its `listen(5)` asks for a queue of 5",
        "server.py 服务一个客户端时，还能连上的客户端数；它的 `listen(5)` 要求队列长度为 5", waiting)
    with open("/proc/sys/net/core/somaxconn") as file:
        lesson.figure("the longest queue that this kernel allows", "这个内核允许的最长队列", file.read().strip())
    lesson.kit(
        "anyloop-backend-sequential",
        "The kit passes, except for the cases that need two clients at once.",
        "测试套件通过，只有需要同时服务两个客户端的用例除外。")


def fill(client):
    """Sends messages until no more are taken. Returns how many bytes were."""
    client.settimeout(0.5)  # if the server takes nothing for so long, it waits itself
    taken, message = 0, b"x" * 1023 + b"\n"
    try:
        while True:
            taken += client.send(message * 64)
    except TimeoutError:
        return taken
