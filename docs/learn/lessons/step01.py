"""The tutorial's first server, and four clients that it doesn't survive."""

import socket
import sys
import time

from program import PATIENCE, hears

TITLE = ("the Python server", "Python 服务器")
FAULTS = ["dies-when-a-client-leaves", "dies-of-a-reset", "spins-after-a-half-close", "dies-on-half-a-character"]


def run(lesson):
    server = start(lesson)
    with server.connect() as client:
        client.sendall(b"hello")
        hears(client, b"hello")
    if server.wait() and "BrokenPipeError" in server.errors[-1]:
        lesson.fault(
            FAULTS[0],
            "a client said hello, read the reply and left. `recv` returned nothing, which the server took for an empty "
            "message. Its first reply to that was answered by a reset, and its next failed: " + server.errors[-1],
            "客户端发送 hello，读了回复就离开。`recv` 返回空，服务器把它当成一条空消息。对它的第一次回复换来对方的复位（RST），"
            "下一次回复失败：" + server.errors[-1])

    server = start(lesson)
    with server.connect() as client:
        server.wait_for("^connected")
        client.sendall(b"hello")
        server.wait_for("^received")
        client.recv(1)  # the rest of the greeting stays unread
    if server.wait() and "ConnectionResetError" in server.errors[-1]:
        lesson.fault(
            FAULTS[1],
            "a client left without reading all that had come. Its kernel then sends no FIN but a reset, and already "
            "`recv` failed: " + server.errors[-1],
            "客户端没有读完已到达的数据就离开。这时它的内核发送的不是 FIN 而是复位（RST），服务器的 `recv` 直接失败：" + server.errors[-1])

    server = start(lesson)
    with server.connect() as client:
        client.shutdown(socket.SHUT_WR)  # the client still reads
        before, begin = len(server.lines), time.monotonic()
        while (passed := time.monotonic() - begin) < 1 or len(server.lines) - before <= 1000 and passed < PATIENCE:
            client.recv(65536)
        printed = len(server.lines) - before
    if printed > 1000:
        lesson.fault(
            FAULTS[2],
            "a client closed its own direction and went on reading. `recv` returned nothing again and again without "
            "waiting, and the server answered each time.",
            "客户端关闭了自己的发送方向，但继续读。`recv` 不再等待，一次又一次返回空，服务器每次都回复。")
        lesson.figure("lines that it printed in one second, without a message", "没有任何消息，一秒内打印的行数", round(printed / passed))

    server = start(lesson)
    with server.connect() as client:
        client.sendall("你".encode()[:2])
        if server.wait() and "UnicodeDecodeError" in server.errors[-1]:
            lesson.fault(
                FAULTS[3],
                "two of the three bytes of 你 arrived first: " + server.errors[-1],
                "“你”的三个字节先到了两个：" + server.errors[-1])


def start(lesson):
    return lesson.start(sys.executable, "docs/tutorial/server.py", "0")
