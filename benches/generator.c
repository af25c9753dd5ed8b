/* A minimal load generator: one epoll loop that keeps DEPTH lines of 32 bytes in flight on each of CONNECTIONS
 * connections to an echo server. It verifies every byte and measures only the rate.
 *
 *     generator PORT CONNECTIONS DEPTH MILLISECONDS
 *
 * prints the number of replies per second, after a warm-up of 300 ms. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 32, EVENTS = 256, WARM_UP = 300 };

struct connection {
    int socket;
    size_t received; /* bytes of the batch that is in flight */
};

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static double milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

int main(int count, char **arguments) {
    if (count != 5) {
        fprintf(stderr, "usage: generator PORT CONNECTIONS DEPTH MILLISECONDS\n");
        return 2;
    }
    int connections = atoi(arguments[2]);
    size_t batch = (size_t)atoi(arguments[3]) * LINE;
    char *lines = malloc(batch);
    memset(lines, 'm', batch);
    for (size_t at = LINE - 1; at < batch; at += LINE) lines[at] = '\n';

    struct connection *all = calloc(connections, sizeof *all);
    int poller = epoll_create1(0);
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[1]))};
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int at = 0; at < connections; at++) {
        int on = 1, socket_ = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(socket_, (struct sockaddr *)&server, sizeof server)) fail("connect");
        setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        fcntl(socket_, F_SETFL, O_NONBLOCK);
        all[at].socket = socket_;
        struct epoll_event interest = {.events = EPOLLIN, .data.ptr = &all[at]};
        epoll_ctl(poller, EPOLL_CTL_ADD, socket_, &interest);
        if (write(socket_, lines, batch) != (ssize_t)batch) fail("write");
    }

    static char input[64 * 1024];
    double begin = milliseconds() + WARM_UP, end = begin + atoi(arguments[4]), now;
    unsigned long long bytes = 0;
    while ((now = milliseconds()) < end) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(poller, events, EVENTS, 50);
        for (int at = 0; at < ready; at++) {
            struct connection *one = events[at].data.ptr;
            ssize_t read_ = read(one->socket, input, sizeof input);
            if (read_ <= 0) fail("read");
            for (ssize_t byte = 0; byte < read_; byte++)
                if (input[byte] != lines[(one->received + byte) % LINE]) {
                    fprintf(stderr, "wrong reply\n");
                    return 1;
                }
            one->received += read_;
            if (now >= begin) bytes += read_;
            if (one->received == batch) {
                one->received = 0;
                if (write(one->socket, lines, batch) != (ssize_t)batch) fail("write");
            }
        }
    }
    printf("%.0f\n", bytes / (double)LINE / ((now - begin) / 1e3));
    return 0;
}
