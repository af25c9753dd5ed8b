// A clock of the time of day that jumps back and forth by a day between readings, for LD_PRELOAD. What would get past it ends
// the process: a system call that reads that clock, and one that waits by it. At the end it says how often it was read.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NEW_YEAR_2001 978307200
#define HALF_A_DAY 43200

static atomic_ulong readings;

static int real(clockid_t clock, struct timespec *time) {
    static int (*_Atomic next)(clockid_t, struct timespec *);
    if (!next)
        next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    return next(clock, time);
}

static int is_time_of_day(clockid_t clock) {
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_REALTIME_ALARM || clock == CLOCK_TAI;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    if (!is_time_of_day(clock))
        return real(clock, time);
    int failed = real(CLOCK_MONOTONIC, time);
    uint32_t order = readings++ * 2654435769u; // as irregular as can be, by the golden ratio
    time->tv_sec += NEW_YEAR_2001 + (order >> 31 ? HALF_A_DAY : -HALF_A_DAY);
    return failed;
}

int gettimeofday(struct timeval *time, void *zone) {
    (void)zone;
    struct timespec now;
    int failed = clock_gettime(CLOCK_REALTIME, &now);
    *time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return failed;
}

time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result)
        *result = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *time, int base) {
    return clock_gettime(CLOCK_REALTIME, time) == 0 ? base : 0;
}

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define UNLESS(test, value, skipped) BPF_JUMP(BPF_JMP | test | BPF_K, value, 0, skipped)
#define END BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define FORBID(call) LOAD(nr), UNLESS(BPF_JEQ, SYS_##call, 1), END
#define FORBID_CLOCK(call, clock) LOAD(nr), UNLESS(BPF_JEQ, SYS_##call, 3), LOAD(args[0]), UNLESS(BPF_JEQ, clock, 1), END

static void forbid(void) {
    struct sock_filter filter[] = {
        FORBID(gettimeofday),
#ifdef SYS_time
        FORBID(time),
#endif
        FORBID_CLOCK(clock_gettime, CLOCK_REALTIME),
        FORBID_CLOCK(clock_gettime, CLOCK_REALTIME_COARSE),
        FORBID_CLOCK(clock_gettime, CLOCK_TAI),
        FORBID_CLOCK(timerfd_create, CLOCK_REALTIME),
        FORBID_CLOCK(timer_create, CLOCK_REALTIME),
        // A sleep until a time of day; one for a duration does not depend on it.
        LOAD(nr), UNLESS(BPF_JEQ, SYS_clock_nanosleep, 5),
        LOAD(args[0]), UNLESS(BPF_JEQ, CLOCK_REALTIME, 3),
        LOAD(args[1]), UNLESS(BPF_JSET, TIMER_ABSTIME, 1), END,
        // A wait until a time of day; one without a timeout may have the flag too.
        LOAD(nr), UNLESS(BPF_JEQ, SYS_futex, 5),
        LOAD(args[1]), UNLESS(BPF_JSET, FUTEX_CLOCK_REALTIME, 3),
        LOAD(args[3]), UNLESS(BPF_JSET, 0xffffffff, 1), END,
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        abort();
}

// Lets nobody find the clock that is read without a system call, but the C library, which has found it already.
static void hide_vdso(void) {
    ElfW(Ehdr) *vdso = (ElfW(Ehdr) *)getauxval(AT_SYSINFO_EHDR);
    if (!vdso)
        return;
    size_t size = vdso->e_shoff + (size_t)vdso->e_shnum * vdso->e_shentsize; // the kernel changes all of it or nothing
    if (mprotect(vdso, size, PROT_READ | PROT_WRITE | PROT_EXEC))
        abort();
    memset(vdso->e_ident, 0, SELFMAG); // now it is no ELF file
}

__attribute__((constructor)) static void begin(void) {
    hide_vdso();
    forbid();
}

__attribute__((destructor)) static void end(void) {
    dprintf(STDERR_FILENO, "the time of day was read %lu times\n", readings);
}
