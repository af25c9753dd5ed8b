"""Slow clients: on a server without limits and deadlines, and on one that has them."""

import sys
import threading

from program import hear_all, hears

TITLE = ("a slow client: limits and deadlines", "慢客户端：上限与时限")
FAULTS = ["slow-sender-holds-a-thread", "unread-replies-hold-a-thread", "line-of-any-length"]
LIMITS = ["--max-connections", "3", "--max-message", "1KiB"]
DEADLINES = ["--idle-timeout", "2s", "--message-timeout", "1s", "--write-timeout", "1s"]
LINE = 32 << 20


def run(lesson):
    plain = lesson.start(lesson.anyloop(), "handwritten", "threads-plain", "--listen", "127.0.0.1:0")
    server = lesson.serve(
        "--backend", "threads", "--language", "en", "--log-level", "debug", *LIMITS, *DEADLINES)
    plain_trickle, plain_hog = plain.connect(), plain.connect()
    trickle, hog, silent = server.connect(), server.connect(), server.connect()
    for client in trickle, hog, silent:
        hears(client, b"Connected!\n")
    with server.connect() as fourth:
        tell(lesson, "a fourth client", "第四个客户端", fourth)

    over = threading.Event()
    clients = [plain_trickle, trickle]
    sender = threading.Thread(target=send_slowly, args=[clients, over], daemon=True)
    sender.start()
    fill(plain_hog)
    fill(hog)
    tell(lesson, "one that says nothing", "一言不发的客户端", silent)
    tell(lesson, "one that sends a byte at a time", "一次发一个字节的客户端", trickle)
    line = server.wait_for("reason=write_timeout").string
    lesson.say("  one that reads nothing can't be told anything. In the log: " + line,
               "  什么都不读的客户端，没法告诉它任何事。日志里是：" + line)
    # By now each of the clients would have been ended, had threads-plain the same deadlines.
    if goes_on(plain_trickle):
        lesson.fault(
            FAULTS[0],
            "on threads-plain the client that sends a byte every 50 ms is still served: no `read` waits for long, "
            "but the line never ends.",
            "在 threads-plain 上，每 50 毫秒发一个字节的客户端仍占着线程：每次 `read` 都等得不久，但这一行永远不结束。")
    if is_full(plain_hog):
        lesson.fault(
            FAULTS[1],
            "on threads-plain the thread of the client that reads nothing still waits in `write`.",
            "在 threads-plain 上，什么都不读的那个客户端的线程仍在 `write` 里等。")
    over.set()
    sender.join()

    with server.connect() as client:
        hears(client, b"Connected!\n")
        client.sendall(b"x" * 1025)
        tell(lesson, "one that sends 1,025 bytes without a line end", "发送 1,025 字节而没有换行的客户端", client)
    with plain.connect() as client:
        before = plain.memory
        client.sendall(b"x" * LINE)  # when it returns, all but the kernel's buffers was read
        grown = plain.memory - before
    if grown > LINE // 2:
        lesson.fault(
            FAULTS[2],
            "threads-plain took a line of %d MiB that doesn't end, and grew by %d MiB." % (LINE >> 20, grown >> 20),
            "threads-plain 收下了一行没有结尾的 %d MiB，内存增加了 %d MiB。" % (LINE >> 20, grown >> 20))
    lesson.figure(
        "the most memory that anyloop's server may take, as `--show-config` says, if all clients do their worst at once, with the "
        "stacks of their threads: 10,000 clients by default, and with these limits",
        "`--show-config` 给出的 anyloop 服务器最多占用的内存（所有客户端同时做最坏的事，包括线程的栈）：默认的 10,000 个客户端、用这些上限",
        "%d MiB, %d MiB" % (most_memory(lesson), most_memory(lesson, *LIMITS)))


def tell(lesson, who, who_chinese, client):
    """Waits until the server ends the conversation, and says what it told the client."""
    heard, error = hear_all(client)
    if error or not heard.startswith(b"ERR "):
        sys.exit("lesson.sh: %s should have been told why, but heard %r, %s" % (who, heard, error))
    lesson.say("  %s is told: %s" % (who, heard.decode().strip()), "  %s收到：%s" % (who_chinese, heard.decode().strip()))


def send_slowly(clients, over):
    """Sends a byte to each server every 50 ms."""
    while not over.wait(0.05):
        for client in list(clients):
            try:
                client.send(b"x")
            except OSError:  # the server has ended it
                clients.remove(client)


def fill(client):
    """Sends messages until no more are taken."""
    client.settimeout(0.5)
    try:
        while True:
            client.send((b"x" * 1000 + b"\n") * 64)
    except (TimeoutError, ConnectionError):
        pass


def goes_on(client):
    """Whether the server has said nothing and not ended the conversation."""
    client.setblocking(False)
    try:
        client.recv(1)
    except BlockingIOError:
        return True
    return False


def is_full(client):
    """Whether the connection exists and takes no more."""
    client.setblocking(False)
    try:
        while True:
            client.send(b"x" * 65536)
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def most_memory(lesson, *limits):
    """The bound of a configuration, in MiB."""
    command = [lesson.anyloop(), "serve", "--backend", "threads", "--show-config", *limits]
    shown, _ = lesson.output(*command)
    return int(shown.rpartition("# memory = ")[2].split()[0]) >> 20
