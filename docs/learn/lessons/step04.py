"""A thread for each client: before any client comes, without a bound, and with one."""

import contextlib
import shlex
import sys

from program import hears, raise_descriptors

TITLE = ("a thread for each client", "每个客户端一个线程")
FAULTS = ["threads-before-any-client", "threads-without-a-bound"]
CLIENTS = 500


def run(lesson):
    raise_descriptors(CLIENTS)
    program = lesson.start("sh", "-c", "ulimit -v 2000000; exec %s docs/tutorial/threaded.py 0" % shlex.quote(sys.executable))
    program.wait_for("can't start new thread|MemoryError")
    if program.threads > 1:
        lesson.fault(
            FAULTS[0],
            "threaded.py started a thread in each round of its loop, and each waits in `accept`. No client had come when "
            "the limit on memory ended the loop: can't start new thread.",
            "threaded.py 的循环每一轮都启动一个线程，每个线程都在 `accept` 里等。还没有任何客户端来，内存上限就让循环结束："
            "can't start new thread。")
        lesson.figure("threads without a client, with 2 GB of address space", "没有客户端时的线程数（地址空间 2 GB）", program.threads)
    program.kill()

    plain = lesson.start(lesson.anyloop(), "handwritten", "threads-plain", "--listen", "127.0.0.1:0")
    threads, plain_memory, _ = crowd(plain, CLIENTS)
    if threads >= CLIENTS:
        lesson.fault(
            FAULTS[1],
            "%d clients sent a line each, and stayed without a word. threads-plain started %d threads for them. It has "
            "no limit: the kernel's is the only one." % (CLIENTS, threads),
            "%d 个客户端各发送一行，然后一直不说话。threads-plain 为它们启动了 %d 个线程。它没有上限：只有内核的上限。" % (CLIENTS, threads))

    limit = CLIENTS // 2
    server = lesson.serve(
        "--backend", "threads", "--handler", "echo", "--max-connections", str(limit))
    _, memory, refused = crowd(server, CLIENTS)
    if refused != CLIENTS - limit:
        sys.exit("lesson.sh: %d clients were refused, and not %d" % (refused, CLIENTS - limit))
    lesson.say(
        "With `--max-connections %d`: %d clients have a thread each; %d clients were told `ERR busy`."
        % (limit, CLIENTS - refused, refused),
        "用 `--max-connections %d`：%d 个客户端各有一个线程；%d 个客户端收到 `ERR busy`。" % (limit, CLIENTS - refused, refused))
    lesson.figure(
        "KiB of memory for each idle client: threads-plain, the backend threads",
        "每个空闲客户端占用的内存（KiB）：threads-plain、后端 threads",
        "%.1f, %.1f" % (plain_memory / 1024, memory / 1024))
    lesson.kit("anyloop-backend-threads", "The kit passes.", "测试套件通过。")


def crowd(server, number):
    """Has clients exchange a message each and stay. Returns how many threads they cost, how many bytes each, and how many
    were refused."""
    clients, refused = [], 0
    for _ in range(number):
        client = server.connect()
        with contextlib.suppress(ConnectionError):  # it may have been refused, and closed, before
            client.sendall(b"hello\n")
        if hears(client, b"hello\n"):
            clients.append(client)
        else:
            refused += 1
            client.close()
        if len(clients) + refused == 1:  # the server has started all that it starts for itself, and one for the client
            threads, memory = server.threads - 1, server.memory
    return server.threads - threads, (server.memory - memory) / (len(clients) - 1), refused
