// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// A process whose first thread has ended before the others: what /proc lists, what signals do, and exec by another thread.
#include "../testing.h"

#include <dirent.h>
#include <pthread.h>

static struct shared {
    volatile pid_t other;
    volatile int execute;
} * shared;

static void *other(void *argument) {
    (void)argument;
    shared->other = gettid();
    while (!shared->execute)
        sleep_ms(2);
    if (shared->execute == 2)
        execl("/proc/thread-self/exe", "again", "again", NULL);
    _exit(5);
}

static int leader(void) {
    pthread_t t;
    pthread_create(&t, NULL, other, NULL);
    syscall(SYS_exit, 3);
    return 1;
}

static char state_of(pid_t pid, pid_t tid) {
    char path[64], text[512] = "";
    snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
    int fd = open(path, O_RDONLY);
    if (fd == -1)
        return '-';
    (void)!read(fd, text, sizeof(text) - 1);
    close(fd);
    const char *after = strrchr(text, ')');
    return after ? after[2] : '?';
}

static void say_tasks(const char *name, pid_t pid) {
    char path[64];
    int first = 0, second = 0, others = 0;
    struct dirent *e;
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *d = opendir(path);
    while (d && (e = readdir(d)) != NULL) {
        int number = atoi(e->d_name);
        if (number == pid)
            first++;
        else if (number == shared->other)
            second++;
        else if (number != 0)
            others++;
    }
    if (d)
        closedir(d);
    say(name, "first %d, second %d, others %d", first, second, others);
}

static pid_t start(void) {
    memset(shared, 0, sizeof(*shared));
    pid_t pid = spawn(leader);
    while (!shared->other || state_of(pid, pid) != 'Z')
        sleep_ms(2);
    return pid;
}

int main(int argc, char **argv) {
    (void)argv;
    if (argc > 1 || strcmp(argv[0], "again") == 0) {
        say("executed by the second thread", "pid is tid: %d", getpid() == gettid());
        return 7;
    }
    shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = start();
    int status;
    say_tasks("listed", pid);
    char state = state_of(pid, shared->other);
    say("states", "first %c, second %c", state_of(pid, pid), state == 'R' ? 'S' : state);
    say_call("wait without a wait", waitpid(pid, &status, WNOHANG));
    say_call("tgkill of the first", (int)syscall(SYS_tgkill, pid, pid, 0));
    say_call("kill", kill(pid, 0));
    shared->execute = 1;
    say("end", "%s", status_text(reap(pid)));
    say_tasks("listed afterwards", pid);

    pid = start();
    shared->execute = 2;
    say("exec", "%s", status_text(reap(pid)));

    pid = start();
    kill(pid, SIGSTOP);
    while (waitpid(pid, &status, WUNTRACED) != pid) {}
    say("stop", "%s", status_text(status));
    kill(pid, SIGTERM);
    kill(pid, SIGCONT);
    say("end by a signal", "%s", status_text(reap(pid)));

    pid = spawn(leader);
    siginfo_t info;
    shared->execute = 1;
    MUST(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
    say_tasks("a zombie", pid);
    say("its state", "%c", state_of(pid, pid));
    say("end", "%s", status_text(reap(pid)));
    return 0;
}
