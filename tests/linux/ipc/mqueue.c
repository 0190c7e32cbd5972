// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// POSIX message queues: names, attributes and limits, priorities, waits with and without a time, notification, the queue as a file, poll.
#include "testing.h"
#include <dirent.h>
#include <mqueue.h>
#include <sys/mount.h>

static mqd_t queue;

// Without the library's own handling of names.
static long open_queue(const char *name, int flags, int mode, struct mq_attr *attributes) {
    return syscall(SYS_mq_open, name, flags, mode, attributes);
}

static long put(const char *text, unsigned priority) {
    return mq_send(queue, text, strlen(text) + 1, priority);
}

static void say_next(const char *name) {
    char text[8192];
    unsigned priority = 99;
    long n = mq_receive(queue, text, sizeof(text), &priority);
    if (n == -1) {
        say(name, "%s", error_name(errno));
    } else {
        say(name, "%ld \"%s\" of priority %u", n, text, priority);
    }
}

static long made(long most, long size, int flags) {
    struct mq_attr a = {.mq_maxmsg = most, .mq_msgsize = size};
    long fd = open_queue("made", O_CREAT | O_RDWR | flags, 0600, &a);
    if (fd >= 0) {
        close((int)fd);
        syscall(SYS_mq_unlink, "made");
        return 0;
    }
    return fd;
}

static void names(void) {
    say_call("no such queue", open_queue("none", O_RDWR, 0, NULL));
    say_call("a name with a slash", open_queue("a/b", O_CREAT | O_RDWR, 0600, NULL));
    say_call("a name that begins with one", open_queue("/a", O_CREAT | O_RDWR, 0600, NULL));
    say_call("no name", open_queue("", O_CREAT | O_RDWR, 0600, NULL));
    say_call("a dot", open_queue(".", O_CREAT | O_RDWR, 0600, NULL));
    char name[300];
    memset(name, 'n', sizeof(name));
    name[256] = 0;
    say_call("a long name", open_queue(name, O_CREAT | O_RDWR, 0600, NULL));
    name[255] = 0;
    say_ok("a name of 255", queue = (int)open_queue(name, O_CREAT | O_RDWR, 0600, NULL));
    say_call("closed at exec", fcntl(queue, F_GETFD));
    close(queue);
    say_call("unlinked", syscall(SYS_mq_unlink, name));
    say_call("unlinked again", syscall(SYS_mq_unlink, name));
    say_call("unlink of a path", syscall(SYS_mq_unlink, "a/b"));
    say_call("bad address", open_queue((void *)8, O_CREAT | O_RDWR, 0600, NULL));
    say_call("bad attributes", open_queue("x", O_CREAT | O_RDWR, 0600, (void *)8));
    say_call("no messages", made(0, 8, 0));
    say_call("no size", made(8, 0, 0));
    say_call("negative", made(-1, 8, 0));
    say_call("65536 messages, as root", made(65536, 8, 0));
    say_call("65537 messages, as root", made(65537, 8, 0));
    say_call("16 MiB, as root", made(1, 16 << 20, 0));
    say_call("more than the limit of bytes", made(10, 100000, 0));
}

static void attributes(void) {
    struct mq_attr a = {.mq_maxmsg = 3, .mq_msgsize = 20, .mq_flags = O_NONBLOCK, .mq_curmsgs = 77}, old;
    queue = (int)MUST(open_queue("q", O_CREAT | O_EXCL | O_RDWR, 0640, &a));
    say_call("exclusive", open_queue("q", O_CREAT | O_EXCL | O_RDWR, 0600, &a));
    say_ok("opened again", open_queue("q", O_RDONLY, 0, NULL));
    MUST(mq_getattr(queue, &old));
    say("attributes", "%ld %ld %ld %ld", old.mq_flags, old.mq_maxmsg, old.mq_msgsize, old.mq_curmsgs);
    a.mq_flags = O_NONBLOCK;
    say_call("O_NONBLOCK set", mq_setattr(queue, &a, &old));
    say("as it was", "%ld", old.mq_flags);
    MUST(mq_getattr(queue, &old));
    say("as it is", "%d, F_GETFL %d", old.mq_flags == O_NONBLOCK, (fcntl(queue, F_GETFL) & O_NONBLOCK) != 0);
    a.mq_flags = O_APPEND;
    say_call("another flag", mq_setattr(queue, &a, NULL));
    say_call("attributes of a pipe", mq_getattr(0, &old));
    say_call("attributes of nothing", mq_getattr(99, &old));
    say_call("attributes to a bad address", syscall(SYS_mq_getsetattr, queue, NULL, (void *)8));
    struct stat s;
    MUST(fstat(queue, &s));
    say("stat: mode, size, links", "%o %ld %d", (unsigned)s.st_mode, (long)s.st_size, (int)s.st_nlink);
}

static void messages(void) {
    put("low", 1);
    put("high", 32767);
    put("low again", 1);
    say_call("full", put("more", 5));
    struct pollfd p = {queue, POLLIN | POLLOUT, 0};
    say_call("poll when full", poll(&p, 1, 0));
    say_bool("readable alone", p.revents == POLLIN);
    say_call("too long", mq_send(queue, "012345678901234567890", 21, 0));
    say_call("priority 32768", put("x", 32768));
    say_call("bad address", mq_send(queue, (void *)8, 5, 0));
    char small[10];
    say_call("a buffer too small", mq_receive(queue, small, sizeof(small), NULL));
    say_next("first");
    say_next("second");
    say_next("third");
    say_next("none");
    p.revents = 0;
    poll(&p, 1, 0);
    say_bool("writable alone", p.revents == POLLOUT);
    say_call("an empty message", mq_send(queue, "", 0, 0));
    char text[20];
    say_call("received", mq_receive(queue, text, sizeof(text), NULL));
    int reader = (int)MUST(open_queue("q", O_RDONLY | O_NONBLOCK, 0, NULL));
    int writer = (int)MUST(open_queue("q", O_WRONLY | O_NONBLOCK, 0, NULL));
    say_call("send to a reader", mq_send(reader, "x", 1, 0));
    say_call("receive from a writer", mq_receive(writer, text, sizeof(text), NULL));
    say_call("O_RDWR and O_WRONLY", open_queue("q", O_RDWR | O_WRONLY, 0, NULL));
    put("state", 3);
    char state[200];
    ssize_t n = read(queue, state, sizeof(state));
    say("read: length", "%ld", (long)n);
    state[n > 0 ? n : 0] = 0;
    say("read", "\"%s\"", strtok(state, "\n"));
    say_call("read on", read(queue, state, sizeof(state)));
    say_call("write", write(queue, "x", 1));
    say_call("received with a bad address", mq_receive(queue, (void *)8, 20, NULL));
    say_next("the message is lost");
    close(reader);
    close(writer);
}

static int receive_and_tell(void) {
    char text[20];
    unsigned priority;
    return mq_receive(queue, text, sizeof(text), &priority) == -1 ? 100 + errno : (int)priority;
}

static int send_and_tell(void) {
    return put("waited", 9) == -1 ? errno : 0;
}

static volatile int handled;

static void on_signal(int signal) {
    handled = signal;
}

static int receive_interrupted(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    return receive_and_tell();
}

static int receive_restarted(void) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    return receive_and_tell();
}

static void waits(void) {
    struct mq_attr a = {0};
    MUST(mq_setattr(queue, &a, NULL));
    pid_t pid = spawn(receive_and_tell);
    await_blocked(pid);
    put("x", 7);
    say("a receiver that waited got priority", "%d", WEXITSTATUS(reap(pid)));
    put("1", 1);
    put("2", 2);
    put("3", 3);
    pid = spawn(send_and_tell);
    await_blocked(pid);
    say_next("with a sender that waits");
    say("the sender", "%s", status_text(reap(pid)));
    say_next("then its message");
    say_next("then");
    say_next("then");
    pid = spawn(receive_interrupted);
    await_blocked(pid);
    kill(pid, SIGUSR1);
    say("a signal", "%s", error_name(WEXITSTATUS(reap(pid)) - 100));
    pid = spawn(receive_restarted);
    await_blocked(pid);
    kill(pid, SIGUSR1);
    say_bool("a signal with SA_RESTART: it waits on", await_blocked(pid));
    put("x", 4);
    say("and gets", "%d", WEXITSTATUS(reap(pid)));
    struct timespec until, wrong = {0, -1}, negative = {-5, 0}, past = {1, 0};
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 30000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    char text[20];
    int64_t start = now_ms();
    say_call("until", mq_timedreceive(queue, text, sizeof(text), NULL, &until));
    say_bool("it waited", now_ms() - start >= 29);
    say_call("until the past", mq_timedreceive(queue, text, sizeof(text), NULL, &past));
    say_call("a wrong time", mq_timedreceive(queue, text, sizeof(text), NULL, &wrong));
    say_call("a negative time", mq_timedreceive(queue, text, sizeof(text), NULL, &negative));
    say_call("a bad time", mq_timedreceive(queue, text, sizeof(text), NULL, (void *)8));
    put("there", 1);
    say_call("a message is there: the past", mq_timedreceive(queue, text, sizeof(text), NULL, &past));
    put("1", 1);
    put("2", 2);
    put("3", 3);
    say_call("full, until the past", mq_timedsend(queue, "x", 1, 0, &past));
    mq_receive(queue, text, sizeof(text), NULL);
    mq_receive(queue, text, sizeof(text), NULL);
    mq_receive(queue, text, sizeof(text), NULL);
}

static siginfo_t told;

static void on_told(int signal, siginfo_t *information, void *context) {
    (void)signal;
    (void)context;
    told = *information;
}

static int another_asks(void) {
    struct sigevent e = {.sigev_notify = SIGEV_NONE};
    return mq_notify(queue, &e) == -1 ? errno : 0;
}

static int another_sends(void) {
    return put("from a child", 1) == -1 ? errno : 0;
}

static void notification(void) {
    struct sigaction action = {.sa_sigaction = on_told, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR2, &action, NULL);
    struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_int = 4711};
    char text[200];
    say_call("mq_notify", mq_notify(queue, &e));
    say_call("again", mq_notify(queue, &e));
    say("another", "%s", error_name(WEXITSTATUS(reap(spawn(another_asks)))));
    lseek(queue, 0, SEEK_SET);
    text[read(queue, text, 100)] = 0;
    say("read: signal", "%.8s", strstr(text, "SIGNO"));
    say_bool("read: process", atoi(strstr(text, "NOTIFY_PID:") + 11) == getpid());
    pid_t child = spawn(another_sends);
    reap(child);
    say("told: signal, code, value", "%s %d %d", signal_name(told.si_signo), told.si_code, told.si_value.sival_int);
    say_bool("told: by whom", told.si_pid == child && told.si_uid == 0);
    memset(&told, 0, sizeof(told));
    say_next("message");
    put("second", 1);
    say("told once", "%d", told.si_signo);
    say_call("asked while it is not empty", mq_notify(queue, &e));
    put("third", 1);
    say("not told", "%d", told.si_signo);
    say_next("message");
    say_next("message");
    pid_t pid = spawn(receive_and_tell);
    await_blocked(pid);
    put("to the one that waits", 2);
    put("x", 2);
    reap(pid);
    say("told", "%d", told.si_signo == SIGUSR2);
    while (mq_timedreceive(queue, text, sizeof(text), NULL, &(struct timespec){1, 0}) >= 0) {}
    memset(&told, 0, sizeof(told));
    say_call("taken back", (mq_notify(queue, &e), mq_notify(queue, NULL)));
    say_call("taken back twice", mq_notify(queue, NULL));
    put("x", 1);
    say("not told", "%d", told.si_signo);
    say_next("message");
    say_call("mq_notify", mq_notify(queue, &e));
    close((int)MUST(open_queue("q", O_RDONLY, 0, NULL)));
    put("x", 1);
    say("not told after a close", "%d", told.si_signo);
    say_next("message");
    e.sigev_notify = SIGEV_NONE;
    say_call("SIGEV_NONE", mq_notify(queue, &e));
    say("another then", "%s", error_name(WEXITSTATUS(reap(spawn(another_asks)))));
    put("x", 1);
    say("another after a message", "%d", WEXITSTATUS(reap(spawn(another_asks))));
    say_next("message");
    e.sigev_notify = 77;
    say_call("an unknown kind", mq_notify(queue, &e));
    e.sigev_notify = SIGEV_SIGNAL;
    e.sigev_signo = 65;
    say_call("signal 65", mq_notify(queue, &e));
    e.sigev_notify = SIGEV_THREAD;
    e.sigev_signo = 99;
    e.sigev_value.sival_ptr = text;
    say_call("SIGEV_THREAD: no such socket", syscall(SYS_mq_notify, queue, &e));
    e.sigev_signo = 0;
    say_call("SIGEV_THREAD: not a socket", syscall(SYS_mq_notify, queue, &e));
    e.sigev_value.sival_ptr = (void *)8;
    say_call("SIGEV_THREAD: a bad cookie", syscall(SYS_mq_notify, queue, &e));
    say_call("bad address", syscall(SYS_mq_notify, queue, (void *)8));
    say_call("of a pipe", mq_notify(0, NULL));
}

static int as_user(void) {
    MUST(setgid(1000));
    MUST(setuid(1000));
    say_call("user: another's queue", open_queue("q", O_RDONLY, 0, NULL));
    say_call("user: another's queue unlinked", syscall(SYS_mq_unlink, "q"));
    say_call("user: 11 messages", made(11, 100, 0));
    say_call("user: 8193 bytes", made(1, 8193, 0));
    say_call("user: 10 of 8192", made(10, 8192, 0));
    struct rlimit limit = {10000, 10000};
    setrlimit(RLIMIT_MSGQUEUE, &limit);
    say_call("user: more than RLIMIT_MSGQUEUE", made(10, 8192, 0));
    say_call("user: less", made(10, 800, 0));
    say_call("user: messages and their heads", made(10, 905, 0));
    return 0;
}

static void folder(void) {
    MUST(mkdir("m", 0755));
    say_call("mount", mount("mqueue", "m", "mqueue", 0, NULL));
    struct stat s;
    MUST(stat("m", &s));
    say("mode", "%o", (unsigned)s.st_mode);
    DIR *d = opendir("m");
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] != '.') {
            say("entry", "%s", e->d_name);
        }
    }
    closedir(d);
    say_call("a folder in it", mkdir("m/d", 0755));
    say_call("a pipe in it", mkfifo("m/f", 0755));
    say_call("renamed", rename("m/q", "m/r"));
    say_call("a link", link("m/q", "m/r"));
    int made_there = open("m/made", O_CREAT | O_RDWR, 0600);
    struct mq_attr a;
    say_ok("made by open", made_there);
    say_call("attributes", mq_getattr(made_there, &a));
    say("most, size", "%ld %ld", a.mq_maxmsg, a.mq_msgsize);
    say_call("unlinked there", unlink("m/made"));
    say_call("sent after that", mq_send(made_there, "x", 1, 0));
    close(made_there);
    say_call("unmounted", umount("m"));
}

int main(void) {
    names();
    attributes();
    messages();
    waits();
    notification();
    reap(spawn(as_user));
    folder();
    say_call("unlinked", syscall(SYS_mq_unlink, "q"));
    say_call("still works", put("x", 1));
    return 0;
}
