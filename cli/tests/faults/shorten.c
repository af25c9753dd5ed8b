/* Runs a server whose sockets do less than asked: each call to receive or to send transfers a single byte.
 *
 *     shorten COUNTS PROGRAM [ARGUMENT...]
 *
 * It traces the program, and at each such call lowers the length that the kernel sees, so that it doesn't matter whether the
 * program calls through the C library. For an io_uring it lowers the lengths of the sends that are about to be submitted, and
 * of the buffers that are provided to receive into. Since Linux promises that a socket is exhausted after a call that has done
 * less than asked (see epoll(7)), it then has the kernel tell again that there is more, as if it had just become so.
 *
 * At the end it writes to COUNTS how many bytes were received and sent one by one where there was room for more, and ends with
 * the program's exit code. SIGTERM is passed on. x86-64 alone. */

#define _GNU_SOURCE
#include <errno.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* The most threads, descriptors and entries of a ring. */
enum { MOST = 1024 };

/* A thread, and the call that it is in. */
static struct thread {
    pid_t id;
    struct __ptrace_syscall_info call;
    int is_cut;
} threads[MOST];

/* The rings of the program, by their descriptors. */
static struct ring {
    unsigned long long submissions, buffers;
    unsigned submission_count, buffer_count;
    int is_served; /* whether all its buffers were cut before */
} rings[MOST];

static pid_t program;
static int program_descriptor;
static unsigned long received, sent;

static void fail(const char *what) {
    perror(what);
    exit(2);
}

static struct thread *thread(pid_t id) {
    struct thread *unused = NULL;
    for (struct thread *thread = threads; thread < threads + MOST; thread++) {
        if (thread->id == id) return thread;
        if (!thread->id && !unused) unused = thread;
    }
    if (!unused) fail("too many threads");
    unused->id = id;
    return unused;
}

/* Copies memory of the program, from or to it. */
static void copy(int is_write, unsigned long long address, void *own, size_t size) {
    struct iovec here = {own, size}, there = {(void *)address, size};
    ssize_t copied = is_write ? process_vm_writev(program, &here, 1, &there, 1, 0)
                              : process_vm_readv(program, &here, 1, &there, 1, 0);
    if (copied != (ssize_t)size) fail("memory of the program");
}

static void cut_length(unsigned long long address) {
    __u32 one = 1;
    copy(1, address, &one, sizeof one);
}

/* Cuts the sends of a ring, and the buffers that it receives into. */
static void cut_ring(struct ring *ring) {
    static struct io_uring_sqe submissions[MOST];
    copy(0, ring->submissions, submissions, ring->submission_count * sizeof *submissions);
    for (unsigned i = 0; i < ring->submission_count; i++) {
        if (submissions[i].opcode != IORING_OP_SEND || submissions[i].len <= 1) continue;
        cut_length(ring->submissions + i * sizeof *submissions + offsetof(struct io_uring_sqe, len));
        sent++;
    }
    static struct io_uring_buf buffers[MOST];
    copy(0, ring->buffers, buffers, ring->buffer_count * sizeof *buffers);
    for (unsigned i = 0; i < ring->buffer_count; i++) {
        if (buffers[i].len <= 1) continue;
        cut_length(ring->buffers + i * sizeof *buffers + offsetof(struct io_uring_buf, len));
        received += ring->is_served; /* it was used, and is provided anew */
    }
    ring->is_served = 1;
}

static void set_length(pid_t id, unsigned long long length) {
    if (ptrace(PTRACE_POKEUSER, id, offsetof(struct user, regs.rdx), length)) fail("registers");
}

/* Has the kernel tell who waits for this socket that it is readable or writable, if it is: these options set what is set by
 * default, and do this besides. */
static void tell(int descriptor) {
    int socket = syscall(SYS_pidfd_getfd, program_descriptor, descriptor, 0);
    if (socket < 0 && errno == EBADF) return; /* another thread has closed it */
    if (socket < 0) fail("socket of the program");
    int least = 1, unlimited = 0;
    setsockopt(socket, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof least);
    setsockopt(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unlimited, sizeof unlimited); /* fails if it is none of TCP */
    close(socket);
}

static void enter(struct thread *thread) {
    __uint64_t *arguments = thread->call.entry.args;
    switch (thread->call.entry.nr) {
    case SYS_recvfrom:
    case SYS_sendto:
        thread->is_cut = arguments[2] > 1;
        if (thread->is_cut) set_length(thread->id, 1);
        break;
    case SYS_io_uring_register:
        if (arguments[0] < MOST && arguments[1] == IORING_REGISTER_PBUF_RING) {
            struct io_uring_buf_reg registered;
            copy(0, arguments[2], &registered, sizeof registered);
            rings[arguments[0]].buffers = registered.ring_addr;
            rings[arguments[0]].buffer_count = registered.ring_entries;
            if (registered.ring_entries > MOST) fail("too many buffers");
        }
        break;
    case SYS_io_uring_enter:
        if (arguments[0] < MOST) cut_ring(&rings[arguments[0]]);
        break;
    }
}

static void leave(struct thread *thread, long long result) {
    __uint64_t *arguments = thread->call.entry.args;
    if (thread->is_cut) {
        set_length(thread->id, arguments[2]); /* a call must not change it */
        thread->is_cut = 0;
        if (result != 1) return;
        *(thread->call.entry.nr == SYS_sendto ? &sent : &received) += 1;
        tell(arguments[0]);
    } else if (thread->call.entry.nr == SYS_mmap && arguments[5] == IORING_OFF_SQES && arguments[4] < MOST) {
        rings[arguments[4]].submissions = result;
        rings[arguments[4]].submission_count = arguments[1] / sizeof(struct io_uring_sqe);
        if (arguments[1] > MOST * sizeof(struct io_uring_sqe)) fail("too many submissions");
    }
}

static void step(pid_t id) {
    struct thread *caller = thread(id);
    struct __ptrace_syscall_info call;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, id, sizeof call, &call) <= 0) return; /* it has been killed */
    if (call.op == PTRACE_SYSCALL_INFO_ENTRY) {
        caller->call = call;
        enter(caller);
    } else if (call.op == PTRACE_SYSCALL_INFO_EXIT) {
        leave(caller, call.exit.rval);
    }
}

static void pass_on(int signal) { kill(program, signal); }

int main(int count, char **arguments) {
    if (count < 3) return 2;
    program = fork();
    if (!program) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        execv(arguments[2], arguments + 2);
        fail(arguments[2]);
    }
    struct sigaction action = {.sa_handler = pass_on};
    sigaction(SIGTERM, &action, NULL);
    waitpid(program, NULL, 0);
    program_descriptor = syscall(SYS_pidfd_open, program, 0);
    if (program_descriptor < 0) fail("pidfd_open");
    long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
    if (ptrace(PTRACE_SETOPTIONS, program, 0, options)) fail("ptrace");
    ptrace(PTRACE_SYSCALL, program, 0, 0);

    int status, code = 2;
    pid_t id;
    while ((id = waitpid(-1, &status, __WALL)) > 0 || kill(program, 0) == 0) {
        if (id < 0) continue; /* a signal has interrupted the call */
        if (!WIFSTOPPED(status)) {
            thread(id)->id = 0;
            if (id == program) code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            continue;
        }
        int signal = WSTOPSIG(status);
        if (signal == (SIGTRAP | 0x80)) step(id);
        /* What is no signal is an event, and a new thread begins with a SIGSTOP. */
        int is_signal = signal != (SIGTRAP | 0x80) && status >> 16 == 0 && signal != SIGSTOP;
        ptrace(PTRACE_SYSCALL, id, 0, is_signal ? signal : 0);
    }
    FILE *counts = fopen(arguments[1], "w");
    if (!counts) fail(arguments[1]);
    fprintf(counts, "%lu %lu\n", received, sent);
    return fclose(counts) ? 2 : code;
}
