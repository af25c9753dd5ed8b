"""One thread that waits for all clients with `poll`, and what each wait costs."""

from program import hears, raise_descriptors

TITLE = ("waiting for many with poll", "用 poll 同时等待许多客户端")
FAULTS = ["cost-grows-with-idle-clients"]
FEW, MANY, MESSAGES = 10, 2000, 500


def run(lesson):
    raise_descriptors(MANY)
    poll = lesson.serve("--backend", "poll", "--handler", "echo", program=lesson.learn())
    few, many, is_single = costs(poll)
    lesson.say(
        "%d clients were served by %s." % (MANY + 1, "one thread" if is_single else "more than one thread"),
        "%d 个客户端由%s服务。" % (MANY + 1, "一个线程" if is_single else "多个线程"))
    if many > 3 * few:
        lesson.fault(
            FAULTS[0],
            "one client sends a message and waits for the reply, %d times. Beside %d idle clients a message cost %.0f µs "
            "of the server's CPU time, beside %d it cost %.0f µs: each `poll` hands all descriptors to the kernel, which "
            "checks every one." % (MESSAGES, FEW, few, MANY, many),
            "一个客户端发一条消息、等回复，重复 %d 次。旁边有 %d 个空闲客户端时，每条消息花费服务器 %.0f 微秒 CPU 时间；有 %d 个时"
            "花费 %.0f 微秒：每次 `poll` 都把所有描述符交给内核，内核逐一检查。" % (MESSAGES, FEW, few, MANY, many))
    epoll = lesson.serve("--backend", "epoll", "--handler", "echo", program=lesson.learn())
    few_epoll, many_epoll, _ = costs(epoll)
    lesson.figure(
        "µs of CPU time for a message beside %d and %d idle clients: poll; epoll (step 7)" % (FEW, MANY),
        "旁边有 %d 个、%d 个空闲客户端时，每条消息的 CPU 时间（微秒）：poll；epoll（第 7 步）" % (FEW, MANY),
        "%.0f, %.0f; %.0f, %.0f" % (few, many, few_epoll, many_epoll))
    lesson.kit("anyloop-example-backend", "The kit passes.", "测试套件通过。")


def costs(server):
    """The microseconds of CPU time for a message beside few and many idle clients, and whether no thread was started."""
    client = connect(server)
    idle = [connect(server) for _ in range(FEW)]
    threads = server.threads
    few = cost(server, client)
    idle += [connect(server) for _ in range(MANY - FEW)]
    many = cost(server, client)
    return few, many, server.threads == threads


def cost(server, client):
    before = server.cpu_time
    for _ in range(MESSAGES):
        client.sendall(b"hello\n")
        hears(client, b"hello\n")
    return (server.cpu_time - before) / MESSAGES * 1e6


def connect(server):
    client = server.connect()
    client.sendall(b"hello\n")
    hears(client, b"hello\n")
    return client
