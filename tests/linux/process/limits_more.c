// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Resource limits that bind seldom: locked memory, message queues, core files, time in real-time classes, and those that bound nothing.
#include "testing.h"

#include <mqueue.h>
#include <sys/shm.h>
#include <sys/prctl.h>

static void limit(int resource, rlim_t soft, rlim_t hard) {
    struct rlimit r = {soft, hard};
    MUST(setrlimit(resource, &r));
}

static void as_user(void) {
    MUST(setgid(1000));
    MUST(setuid(1000));
}

static int memlock(void) {
    limit(RLIMIT_MEMLOCK, 4 * PAGE, 4 * PAGE);
    char *area = MUST(mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    say_call("RLIMIT_MEMLOCK: root locks more", mlock(area, 8 * PAGE));
    MUST(munlock(area, 8 * PAGE));
    as_user();
    say_call("RLIMIT_MEMLOCK: as much as is allowed", mlock(area, 4 * PAGE));
    say_call("RLIMIT_MEMLOCK: the same again", mlock(area, 4 * PAGE));
    say_call("RLIMIT_MEMLOCK: one more", mlock(area + 4 * PAGE, PAGE));
    say_call("RLIMIT_MEMLOCK: across", mlock(area + 3 * PAGE, 2 * PAGE));
    say_ok("RLIMIT_MEMLOCK: a locked mapping",
           (long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
    say_call("RLIMIT_MEMLOCK: mlockall, now", mlockall(MCL_CURRENT));
    say_call("RLIMIT_MEMLOCK: mlockall, later", mlockall(MCL_FUTURE));
    MUST(munlockall());
    limit(RLIMIT_MEMLOCK, 0, 0);
    say_call("RLIMIT_MEMLOCK 0", mlock(area, PAGE));
    say_call("RLIMIT_MEMLOCK 0: mlockall", mlockall(MCL_CURRENT));
    say_call("RLIMIT_MEMLOCK 0: munlock", munlock(area, PAGE));
    return 0;
}

static int msgqueue(void) {
    struct mq_attr attributes = {.mq_maxmsg = 2, .mq_msgsize = 100};
    limit(RLIMIT_MSGQUEUE, 1000, 1000);
    as_user();
    mqd_t first = mq_open("/limits_more_1", O_CREAT | O_EXCL | O_RDWR, 0600, &attributes);
    say_ok("RLIMIT_MSGQUEUE: a queue within", first);
    say_ok("RLIMIT_MSGQUEUE: one beyond", mq_open("/limits_more_2", O_CREAT | O_EXCL | O_RDWR, 0600,
                                                  &(struct mq_attr){.mq_maxmsg = 8, .mq_msgsize = 100}));
    mq_unlink("/limits_more_1");
    mq_close(first);
    limit(RLIMIT_MSGQUEUE, 0, 0);
    say_ok("RLIMIT_MSGQUEUE 0", mq_open("/limits_more_3", O_CREAT | O_EXCL | O_RDWR, 0600, &attributes));
    return 0;
}

static int dies(void) {
    raise(SIGSEGV);
    return 0;
}

static int core(void) {
    struct stat s;
    limit(RLIMIT_CORE, 0, 0);
    say_child("RLIMIT_CORE 0: a fault", dies);
    say_ok("RLIMIT_CORE 0: a file", stat("core", &s));
    return 0;
}

static int spins(void) {
    struct sched_param p = {.sched_priority = 1};
    struct rlimit r = {30000, 60000};
    MUST(setrlimit(RLIMIT_RTTIME, &r));
    MUST(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &p));
    for (volatile long i = 0;; i++) {}
    return 0;
}

static volatile int told;

static void on_limit(int signal) {
    (void)signal;
    told++;
}

static int spins_on(void) {
    struct sched_param p = {.sched_priority = 1};
    struct rlimit r = {30000, RLIM_INFINITY};
    signal(SIGXCPU, on_limit);
    MUST(setrlimit(RLIMIT_RTTIME, &r));
    MUST(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &p));
    while (told == 0) {}
    getrlimit(RLIMIT_RTTIME, &r);
    say("RLIMIT_RTTIME: the soft limit moves", "%ld", (long)r.rlim_cur);
    return 0;
}

static int sleeps(void) {
    struct sched_param p = {.sched_priority = 1};
    struct rlimit r = {150000, 300000};
    MUST(setrlimit(RLIMIT_RTTIME, &r));
    MUST(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &p));
    // In sum more than the limit, each time far less: the processor may stand still for a while.
    for (int i = 0; i < 8; i++) {
        int64_t until = now_ms() + 25;
        while (now_ms() < until) {}
        sleep_ms(1);
    }
    return 0;
}

static int ordinary(void) {
    struct rlimit r = {10000, 20000};
    MUST(setrlimit(RLIMIT_RTTIME, &r));
    int64_t until = now_ms() + 60;
    while (now_ms() < until) {}
    return 0;
}

static int locks(void) {
    struct flock lock = {.l_type = F_WRLCK, .l_len = 1};
    limit(RLIMIT_LOCKS, 0, 0);
    int fd = MUST(open("locked", O_RDWR | O_CREAT, 0600));
    say_call("RLIMIT_LOCKS 0: a lock", fcntl(fd, F_SETLK, &lock));
    return 0;
}

static int resident(void) {
    limit(RLIMIT_RSS, PAGE, PAGE);
    char *area = MUST(mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    memset(area, 1, 64 * PAGE);
    say("RLIMIT_RSS one page: 64 are written", "%d", area[63 * PAGE]);
    return 0;
}

int main(void) {
    say_child("memlock", memlock);
    say_child("msgqueue", msgqueue);
    say_child("core", core);
    say_child("RLIMIT_RTTIME: spins", spins);
    say_child("RLIMIT_RTTIME: spins and is told", spins_on);
    say_child("RLIMIT_RTTIME: sleeps in between", sleeps);
    say_child("RLIMIT_RTTIME: an ordinary thread", ordinary);
    say_child("locks", locks);
    say_child("resident", resident);
    return 0;
}
