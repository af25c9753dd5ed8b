"""A ring whose clients share one buffer for their replies, and one whose clients don't."""

from loads import load, measured
from program import hears

TITLE = ("the ring: who owns the buffer", "环：缓冲区归谁所有")
FAULTS = ["sends-another-clients-bytes"]


def run(lesson):
    server = ring(lesson)
    if not server.wait_for(r"(listening on)|Error: ").group(1):
        return lesson.skip("io_uring is missing or forbidden: " + server.errors[-1],
                           "没有 io_uring，或者它被禁止使用：" + server.errors[-1])
    with server.connect() as alice, server.connect() as bobby:
        for client, message in [(alice, b"I am Alice\n"), (bobby, b"I am Bobby\n")]:
            client.sendall(message)
            hears(client, message)
        for _ in range(100):
            # The server waits for both clients, and both messages arrive while it is stopped: so it finds both in one round.
            server.wait_until_it_sleeps()
            with server.paused():
                alice.sendall(b"for Alice\n")
                bobby.sendall(b"for Bobby\n")
            heard = [client.recv(100).decode().strip() for client in (alice, bobby)]
            if heard != ["for Alice", "for Bobby"]:
                break
    if heard in (["for Bobby", "for Bobby"], ["for Alice", "for Alice"]):
        lesson.fault(
            FAULTS[0],
            "Alice and Bobby sent at the same time. Alice heard `%s`, and Bobby heard `%s`. Both replies were written into "
            "one buffer before the kernel read the first." % tuple(heard),
            "Alice 和 Bobby 同时发送。Alice 收到 `%s`，Bobby 收到 `%s`。内核读取第一条回复之前，两条就都写进了同一个缓冲区。" % tuple(heard))

    shared = wrong_replies(lesson, ring(lesson), "--reply-timeout", "500ms")
    owned = wrong_replies(lesson, lesson.serve("--backend", "uring", "--handler", "echo"))
    if not shared or owned:
        lesson.fault("unexpected-replies-under-load", "not only the shared buffer sends wrong replies.", "出错的不只是共用的缓冲区。")
    lesson.kit("anyloop-backend-uring", "The kit passes.", "测试套件通过。")


def wrong_replies(lesson, server, *flags):
    """Puts a server under a load. Returns how many replies had the bytes of another client."""
    result, code = measured(load(lesson, server, "--connections", "64", "--duration", "500ms", *flags))
    server.kill()
    checked = result["verification"]
    lesson.figure(
        "replies, those with the bytes of another client, and the exit code of `anyloop load`",
        "回复数、其中含有其他客户端字节的回复数、`anyloop load` 的退出码",
        "%d, %d, %d" % (checked["replies"], checked["foreign"], code))
    return checked["foreign"]


def ring(lesson):
    return lesson.start(lesson.binary("anyloop-example-learn", "ring"))
