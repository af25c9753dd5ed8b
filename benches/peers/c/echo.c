/* A raw echo server: an epoll loop on each core, which sends back what it receives without parsing it. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* The first loop also accepts, and assigns the clients to the loops in turn. */
static int listener, loops, pollers[CPU_SETSIZE];

static void give_up(const char *what) {
    perror(what);
    exit(1);
}

/* Sends all bytes; -1 on an error. It blocks while a client does not read. */
static int send_all(int client, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t sent = send(client, bytes, count, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return -1;
        bytes += sent;
        count -= (size_t)sent;
    }
    return 0;
}

static void add(int poller, int socket) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = socket};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, socket, &event) < 0) close(socket);
}

static void *loop(void *own) {
    static _Thread_local char buffer[64 * 1024];
    struct epoll_event events[256];
    int poller = *(int *)own, turn = 0, on = 1;
    for (;;) {
        int ready = epoll_wait(poller, events, 256, -1);
        for (int index = 0; index < ready; index++) {
            int client = events[index].data.fd;
            if (client == listener) {
                client = accept(listener, NULL, NULL);
                if (client < 0) continue;
                setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                add(pollers[turn++ % loops], client);
                continue;
            }
            ssize_t received = recv(client, buffer, sizeof buffer, 0);
            if (received < 0 && errno == EINTR) continue;
            if (received <= 0 || send_all(client, buffer, (size_t)received) < 0) close(client);
        }
    }
    return NULL;
}

int main(int count, char **arguments) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((unsigned short)(count > 1 ? atoi(arguments[1]) : 0));
    int on = 1;
    cpu_set_t cores;
    if (sched_getaffinity(0, sizeof cores, &cores) < 0) give_up("sched_getaffinity");
    loops = CPU_COUNT(&cores);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0) give_up("socket");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0) give_up("bind");
    if (listen(listener, 4096) < 0) give_up("listen");
    for (int index = 0; index < loops; index++) {
        if ((pollers[index] = epoll_create1(0)) < 0) give_up("epoll_create1");
    }
    for (int index = 1; index < loops; index++) {
        pthread_t thread;
        if ((errno = pthread_create(&thread, NULL, loop, &pollers[index]))) give_up("pthread_create");
    }
    add(pollers[0], listener);
    loop(&pollers[0]);
}
