"""A handler that computes or sleeps for long, on epoll and on the pool, undeclared and declared."""

from delays import TIME, waits

TITLE = ("the pool and a handler that computes", "线程池与计算型处理程序")
FAULTS = ["a-computation-delays-everybody", "as-many-computations-as-workers", "blocks-without-saying-so"]


def run(lesson):
    epoll = ("--backend", "epoll", "--workers", "1")
    pool = ("--backend", "pool", "--workers", "2")

    if waits(lesson, "compute", 1, *epoll, "--handler", "careless", usually=True):
        lesson.fault(
            FAULTS[0],
            "a client's message took %d ms of computation. Another client's message waited for the end of it, since one "
            "thread serves both." % TIME,
            "一个客户端的消息要计算 %d 毫秒。另一个客户端的消息一直等到计算结束，因为两者由同一个线程服务。" % TIME)
    if not waits(lesson, "compute", 1, *pool, "--handler", "careless", usually=False):
        lesson.say("On the pool the second worker took over, and the other client did not wait.",
                   "在线程池上，第二个工作线程接手，另一个客户端不必等待。")
    if waits(lesson, "compute", 2, *pool, "--handler", "careless", usually=True):
        lesson.fault(
            FAULTS[1],
            "two clients' messages computed at once on two workers, and the third client waited again.",
            "两个客户端的消息同时占用两个工作线程计算，第三个客户端又要等待。")

    if waits(lesson, "sleep", 1, *epoll, "--handler", "careless", usually=True):
        lesson.fault(
            FAULTS[2],
            "a message slept for %d ms, as a query to a database would. The processor was free, and yet the other client "
            "waited: the handler did not say that it may block." % TIME,
            "一条消息睡眠了 %d 毫秒，就像查询数据库那样。处理器空闲，另一个客户端却仍在等待：处理程序没有声明自己可能阻塞。" % TIME)
    if not waits(lesson, "sleep", 1, *epoll, "--handler", "declared", usually=False):
        lesson.say("The same handler with `fn blocking` ran on a thread of its own, and nobody waited.",
                   "同样的处理程序加上 `fn blocking` 后，在单独的线程上运行，没有人等待。")
    lesson.kit("anyloop-backend-pool", "The kit passes.", "测试套件通过。")
