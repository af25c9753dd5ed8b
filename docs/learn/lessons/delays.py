"""How long a client waits whose message has nothing to do with those of others. Steps 8 and 9 use it."""

import select
import time

from program import hears

# How long a chore takes, in milliseconds.
TIME = 400


def waits(lesson, chore, count, *flags, usually):
    """Whether a client whose message has no chore is answered after one of `count` clients whose messages have one. It is
    tried again if this is not as usual, since this process and the server may be too slow."""
    server = lesson.serve(*flags, program=lesson.learn())
    for _ in range(3):
        clients = [server.connect() for _ in range(count + 1)]
        for client in clients:
            client.sendall(b"hello\n")
            hears(client, b"hello\n")
        *busy, other = clients
        for client in busy:
            client.sendall(b"%s %d\n" % (chore.encode(), TIME))
        time.sleep(0.05)  # the server begins with the chores
        begin = time.monotonic()
        other.sendall(b"hello\n")
        hears(other, b"hello\n")
        delay = 1000 * (time.monotonic() - begin)
        waited = bool(select.select(busy, [], [], 0)[0])  # what was sent to them before has arrived
        for client in busy:
            hears(client, b"\n")
        for client in clients:
            client.close()
        if waited == usually:
            break
    server.kill()
    name = "%s, %s, %d × %s" % (flags[1], flags[-1], count, chore)
    lesson.figure("delay of the other client: " + name, "另一个客户端的延迟：" + name, "%.1f ms" % delay)
    return waited
