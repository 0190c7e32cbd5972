// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// listen, accept, connect: backlogs, waits and how they end, refusals, what is told of whom.
#include "sockets.h"

static int server;

static int dial(const char *name, int flags) {
    int fd = MUST(socket(AF_UNIX, SOCK_STREAM | flags, 0));
    if (connect_to(fd, name) == -1) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static int connect_waits(void) {
    say_ok("a connect to a full backlog waits", dial("@backlog", 0));
    return 0;
}

static int connect_refused_late(void) {
    say_ok("a connect that waits when the listener closes", dial("@backlog", 0));
    return 0;
}

static int accept_shut(void) {
    say_ok("an accept that waits when it is shut down", accept(server, NULL, NULL));
    return 0;
}

static int accept_waits(void) {
    int in = accept(server, NULL, NULL);
    say_ok("an accept that waits", in);
    char byte = 0;
    read(in, &byte, 1);
    say("gets what was sent before", "%c", byte);
    return 0;
}

static void on_alarm(int signal MAYBE_UNUSED) {}

static void filling(void) {
    char what[64];
    for (int backlog = -1; backlog <= 3; backlog++) {
        int fds[16], count = 0;
        server = listener(SOCK_STREAM, "@backlog", backlog);
        while (count < 10 && (fds[count] = dial("@backlog", SOCK_NONBLOCK)) != -1) {
            count++;
        }
        snprintf(what, sizeof(what), "backlog %d takes", backlog);
        if (count < 10) {
            say(what, "%d then %s", count, error_name(errno));
        } else {
            say(what, "many");
        }
        close(server);
        for (int i = 0; i < count; i++) {
            close(fds[i]);
        }
    }
}

int main(void) {
    struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    char buffer[16];
    int fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    say_call("listen unbound", listen(fd, 1));
    say_call("accept of a socket that does not listen", accept(fd, NULL, NULL));
    bind_to(fd, "@backlog");
    say_call("accept of a bound socket", accept(fd, NULL, NULL));
    say_call("connect to it", dial("@backlog", 0));
    say_call("listen", listen(fd, 1));
    say_call("listen again", listen(fd, 5));
    say_call("connect of a listener", connect_to(fd, "@backlog"));
    say_call("send of a listener", send(fd, "x", 1, 0));
    say_call("recv of a listener", recv(fd, buffer, 1, 0));
    int count;
    say_call("FIONREAD of a listener", ioctl(fd, FIONREAD, &count));
    say_poll("poll of a listener", fd);
    int client = dial("@backlog", 0);
    say_poll("poll with a client", fd);
    say_poll("poll of the client", client);
    say_call("listen of a connected socket", (bind_to(client, "@client"), listen(client, 1)));
    struct sockaddr_un a;
    socklen_t length = sizeof(a);
    say_call("accept4 with bad flags", syscall(SYS_accept4, fd, NULL, NULL, SOCK_STREAM));
    int in = accept4(fd, (struct sockaddr *)&a, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    say_ok("accept4", in);
    say_address("from", &a, length);
    say("flags", "%#x %d", (unsigned)fcntl(in, F_GETFL), fcntl(in, F_GETFD));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    say_call("accept of none without waiting", accept(fd, NULL, NULL));
    int second = dial("@backlog", 0);
    length = sizeof(a);
    int in2 = accept(fd, (struct sockaddr *)&a, &length);
    say("from nobody", "length %u, flags %#x", (unsigned)length, (unsigned)fcntl(in2, F_GETFL));
    close(second);
    close(in2);
    second = dial("@backlog", 0);
    say_call("accept with a bad address", accept(fd, (void *)8, &length));
    say_receive("the client's connection is lost", second, 5, 0);
    close(second);
    second = dial("@backlog", 0);
    send(second, "early", 5, 0);
    close(second);
    in2 = accept(fd, NULL, NULL);
    say_receive("a client that left sent", in2, 10, 0);
    say_receive("then the end", in2, 10, 0);
    close(in2);
    second = dial("@backlog", 0);
    send(second, "x", 1, 0);
    close(fd);
    say_receive("a listener that closes resets its backlog", second, 5, 0);
    say_call("send", send(second, "x", 1, 0));
    close(second);
    send(client, "still", 5, 0);
    say_receive("accepted connections go on", in, 10, 0);
    close(in);
    close(client);

    filling();

    server = listener(SOCK_STREAM, "@backlog", 0);
    client = dial("@backlog", 0);
    send(client, "q", 1, 0);
    say_ok("without waiting", dial("@backlog", SOCK_NONBLOCK));
    struct timeval tv = {0, 20000};
    fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
    say_call("with SO_SNDTIMEO", connect_to(fd, "@backlog"));
    // Again and again: the first may come before the wait.
    struct itimerval soon = {{0, 30000}, {0, 30000}}, off = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &soon, NULL);
    say_ok("interrupted", dial("@backlog", 0));
    setitimer(ITIMER_REAL, &off, NULL);
    tv.tv_usec = 0;
    tv.tv_sec = 9;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
    setitimer(ITIMER_REAL, &soon, NULL);
    say_call("interrupted with SO_SNDTIMEO", connect_to(fd, "@backlog"));
    setitimer(ITIMER_REAL, &off, NULL);
    close(fd);
    pid_t pid = spawn(connect_waits);
    await_blocked(pid);
    in = accept(server, NULL, NULL);
    reap(pid);
    close(in);
    in = accept(server, NULL, NULL);
    close(in);
    close(client);
    client = dial("@backlog", 0);
    pid = fork();
    if (pid == 0) {
        close(server);
        _exit(connect_refused_late());
    }
    await_blocked(pid);
    close(server);
    reap(pid);
    close(client);

    server = listener(SOCK_STREAM, "@backlog", 2);
    pid = spawn(accept_waits);
    await_blocked(pid);
    client = dial("@backlog", 0);
    write(client, "e", 1);
    reap(pid);
    close(client);
    tv = (struct timeval){0, 20000};
    setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    say_ok("accept with SO_RCVTIMEO", accept(server, NULL, NULL));
    tv.tv_usec = 0;
    setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    setitimer(ITIMER_REAL, &soon, NULL);
    say_ok("accept interrupted", accept(server, NULL, NULL));
    setitimer(ITIMER_REAL, &off, NULL);
    pid = spawn(accept_shut);
    await_blocked(pid);
    shutdown(server, SHUT_RD);
    reap(pid);
    say_ok("connect to one that was shut down", dial("@backlog", 0));
    say_ok("accept then", accept(server, NULL, NULL));
    return 0;
}
