// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// System V semaphores: sets, operations that are done as a whole, waits, undo, removal, permissions, limits.
#include "testing.h"
#include <pthread.h>
#include <sys/ipc.h>
#include <sys/sem.h>

#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif

union value {
    int value;
    struct semid_ds *status;
    unsigned short *array;
    struct seminfo *info;
};

static long control(int id, int number, int command, union value v) {
    return syscall(SYS_semctl, id, number, command, v);
}
#define CONTROL(id, number, command, ...) control(id, number, command, (union value){__VA_ARGS__})

static long change(int id, int number, int by, int flags) {
    struct sembuf op = {(unsigned short)number, (short)by, (short)flags};
    return semop(id, &op, 1);
}

static int value(int id, int number) {
    return (int)CONTROL(id, number, GETVAL, 0);
}

static void sets(void) {
    say_call("semget: no semaphores", semget(IPC_PRIVATE, 0, 0600));
    say_call("semget: too many", semget(IPC_PRIVATE, 32001, 0600));
    say_call("semget: negative", semget(IPC_PRIVATE, -1, 0600));
    say_call("semget: no such key", semget(0x4242, 1, 0600));
    int id = MUST(semget(0x4242, 3, IPC_CREAT | 0640));
    say_call("semget: exclusive", semget(0x4242, 3, IPC_CREAT | IPC_EXCL | 0600));
    say_bool("semget: the same", semget(0x4242, 0, 0) == id);
    say_call("semget: larger than it is", semget(0x4242, 4, 0));
    struct semid_ds status;
    say_call("IPC_STAT", CONTROL(id, 0, IPC_STAT, .status = &status));
    say("status: count, mode, key, otime", "%d %o %x %ld", (int)status.sem_nsems, status.sem_perm.mode,
        (unsigned)status.sem_perm.__key, (long)status.sem_otime);
    say_bool("status: ctime is now", time(NULL) - status.sem_ctime < 3);
    say("values", "%d %d %d", value(id, 0), value(id, 1), value(id, 2));
    say_call("GETVAL: no such", CONTROL(id, 3, GETVAL, 0));
    say_call("GETVAL: negative", CONTROL(id, -1, GETVAL, 0));
    say_call("SETVAL: 5", CONTROL(id, 1, SETVAL, 5));
    say_call("SETVAL: 32768", CONTROL(id, 1, SETVAL, 32768));
    say_call("SETVAL: -1", CONTROL(id, 1, SETVAL, -1));
    say_call("SETVAL: no such", CONTROL(id, 3, SETVAL, 1));
    unsigned short all[3] = {7, 8, 9}, bad[3] = {1, 40000, 1}, back[3] = {0};
    say_call("SETALL", CONTROL(id, 0, SETALL, .array = all));
    say_call("SETALL: one too large", CONTROL(id, 0, SETALL, .array = bad));
    say_call("SETALL: bad address", CONTROL(id, 0, SETALL, .array = (void *)8));
    say_call("GETALL", CONTROL(id, 0, GETALL, .array = back));
    say("all", "%d %d %d", back[0], back[1], back[2]);
    say_call("GETALL: bad address", CONTROL(id, 0, GETALL, .array = (void *)8));
    say_bool("GETPID", CONTROL(id, 1, GETPID, 0) == getpid());
    say_call("unknown command", CONTROL(id, 0, 99, 0));
    say_call("no such set", CONTROL(id + (1 << 15), 0, GETVAL, 0));
    say_call("negative set", CONTROL(-1, 0, GETVAL, 0));
    struct seminfo info;
    say_bool("IPC_INFO: an index", CONTROL(0, 0, IPC_INFO, .info = &info) >= 0);
    say("IPC_INFO", "%d %d %d %d %d %d %d %d %d", info.semmni, info.semmns, info.semmnu, info.semmsl, info.semopm,
        info.semume, info.semusz, info.semvmx, info.semaem);
    int highest = (int)MUST(CONTROL(0, 0, SEM_INFO, .info = &info));
    say("SEM_INFO: sets, semaphores", "%d %d", info.semusz, info.semaem);
    bool found = false, found_any = false;
    for (int i = 0; i <= highest; i++) {
        found |= CONTROL(i, 0, SEM_STAT, .status = &status) == id;
        found_any |= CONTROL(i, 0, SEM_STAT_ANY, .status = &status) == id;
    }
    say_bool("SEM_STAT finds it", found && found_any);
    say_call("SEM_STAT: none there", CONTROL(highest + 1, 0, SEM_STAT, .status = &status));
    status.sem_perm.mode = 01777;
    status.sem_perm.uid = 77;
    say_call("IPC_SET", CONTROL(id, 0, IPC_SET, .status = &status));
    MUST(CONTROL(id, 0, IPC_STAT, .status = &status));
    say("after IPC_SET: mode, uid, cuid", "%o %d %d", status.sem_perm.mode, status.sem_perm.uid, status.sem_perm.cuid);
    say_call("IPC_SET: bad address", CONTROL(id, 0, IPC_SET, .status = (void *)8));
    say_call("IPC_STAT: bad address", CONTROL(id, 0, IPC_STAT, .status = (void *)8));
    say_call("IPC_RMID", CONTROL(id, 0, IPC_RMID, 0));
    say_call("IPC_RMID again", CONTROL(id, 0, IPC_RMID, 0));
    say_call("gone: operation", change(id, 0, 1, 0));
    int next = MUST(semget(0x4242, 3, IPC_CREAT | 0640));
    say_bool("a number is not used again at once", next != id);
    MUST(CONTROL(next, 0, IPC_RMID, 0));
}

static void operations(void) {
    int id = MUST(semget(IPC_PRIVATE, 2, 0600));
    struct sembuf two[2] = {{0, 3, 0}, {1, -1, IPC_NOWAIT}};
    say_call("two at once: the second must wait", semop(id, two, 2));
    say("nothing was done", "%d %d", value(id, 0), value(id, 1));
    two[1].sem_op = 2;
    say_call("two at once", semop(id, two, 2));
    say("both were done", "%d %d", value(id, 0), value(id, 1));
    struct sembuf same[2] = {{0, -3, 0}, {0, 0, IPC_NOWAIT}};
    say_call("down, and it is zero", semop(id, same, 2));
    struct sembuf twice[2] = {{0, 1, 0}, {0, 0, IPC_NOWAIT}};
    say_call("up, and it is zero", semop(id, twice, 2));
    say("value", "%d", value(id, 0));
    say_call("wait for zero: not zero", change(id, 1, 0, IPC_NOWAIT));
    say_call("too large", change(id, 1, 32767, 0));
    say_call("no operations", semop(id, two, 0));
    struct sembuf many[501] = {{0}};
    say_call("501 operations", semop(id, many, 501));
    say_call("500 operations", semop(id, many, 500));
    say_call("bad address", semop(id, (void *)8, 1));
    say_call("no such semaphore", change(id, 2, 1, 0));
    say_call("no such set", change(id + (5 << 15), 0, 1, 0));
    say_call("negative set", change(-1, 0, 1, 0));
    struct timespec wait = {0, 20000000}, wrong = {0, 1000000000}, before = {-1, 0};
    struct sembuf down = {0, -1, 0};
    int64_t start = now_ms();
    say_call("semtimedop", semtimedop(id, &down, 1, &wait));
    say_bool("semtimedop: waited", now_ms() - start >= 20);
    say_call("semtimedop: wrong time", semtimedop(id, &down, 1, &wrong));
    say_call("semtimedop: negative time", semtimedop(id, &down, 1, &before));
    say_call("semtimedop: bad time", syscall(SYS_semtimedop, id, &down, 1, (void *)8));
    struct semid_ds status;
    MUST(CONTROL(id, 0, IPC_STAT, .status = &status));
    say_bool("status: otime is set", status.sem_otime > 0);
    MUST(CONTROL(id, 0, IPC_RMID, 0));
}

static int shared_id;

static int down_one(void) {
    return change(shared_id, 0, -1, 0) == 0 ? 0 : errno;
}

static int wait_zero(void) {
    return change(shared_id, 1, 0, 0) == 0 ? 0 : errno;
}

static int down_five(void) {
    return change(shared_id, 0, -5, 0) == 0 ? 0 : errno;
}

static void on_alarm(int signal) {
    (void)signal;
}

static int interrupted(void) {
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    return change(shared_id, 0, -1, 0) == 0 ? 0 : errno;
}

static void waits(void) {
    int id = shared_id = MUST(semget(IPC_PRIVATE, 2, 0600));
    MUST(CONTROL(id, 1, SETVAL, 1));
    pid_t a = spawn(down_one), b = spawn(wait_zero), c = spawn(down_five);
    await_blocked(a);
    await_blocked(b);
    await_blocked(c);
    say("GETNCNT, GETZCNT", "%ld %ld %ld %ld", CONTROL(id, 0, GETNCNT, 0), CONTROL(id, 0, GETZCNT, 0),
        CONTROL(id, 1, GETNCNT, 0), CONTROL(id, 1, GETZCNT, 0));
    MUST(change(id, 0, 1, 0));
    say("one up: who waits for one", "%s", status_text(reap(a)));
    say_bool("one up: who waited for five sleeps", process_state(c) == 'S');
    say("value", "%d", value(id, 0));
    say_bool("GETPID is the one that went down", CONTROL(id, 0, GETPID, 0) == a);
    MUST(change(id, 1, -1, 0));
    say("zero", "%s", status_text(reap(b)));
    MUST(CONTROL(id, 0, SETVAL, 6));
    say("set to six", "%s", status_text(reap(c)));
    say("value", "%d", value(id, 0));
    MUST(CONTROL(id, 0, SETVAL, 0));
    pid_t d = spawn(interrupted);
    await_blocked(d);
    kill(d, SIGUSR1);
    say("a signal ends the wait even with SA_RESTART", "%s", error_name(WEXITSTATUS(reap(d))));
    pid_t e = spawn(down_one);
    await_blocked(e);
    kill(e, SIGKILL);
    say("killed", "%s", status_text(reap(e)));
    say("GETNCNT then", "%ld", CONTROL(id, 0, GETNCNT, 0));
    pid_t f = spawn(down_one), g = spawn(wait_zero);
    MUST(CONTROL(id, 1, SETVAL, 1));
    pid_t h = spawn(wait_zero);
    await_blocked(f);
    await_blocked(h);
    MUST(CONTROL(id, 0, IPC_RMID, 0));
    say_bool("removed: both waits end so", WEXITSTATUS(reap(f)) == EIDRM && WEXITSTATUS(reap(h)) == EIDRM);
    reap(g);
}

static int undo_and_end(void) {
    MUST(change(shared_id, 0, -2, SEM_UNDO));
    MUST(change(shared_id, 0, 5, SEM_UNDO));
    MUST(change(shared_id, 1, 1, SEM_UNDO));
    return value(shared_id, 0);
}

static int undo_and_fork(void) {
    MUST(change(shared_id, 0, 1, SEM_UNDO));
    pid_t child = fork();
    if (child == 0) {
        _exit(0);
    }
    reap(child);
    return value(shared_id, 0);
}

static int undo_below_zero(void) {
    MUST(change(shared_id, 0, 3, SEM_UNDO));
    MUST(change(shared_id, 0, -13, 0));
    return 0;
}

static int undo_and_set(void) {
    MUST(change(shared_id, 0, 1, SEM_UNDO));
    MUST(CONTROL(shared_id, 0, SETVAL, 4));
    return 0;
}

static int undo_too_much(void) {
    MUST(CONTROL(shared_id, 0, SETVAL, 0));
    MUST(change(shared_id, 0, 30000, SEM_UNDO));
    MUST(change(shared_id, 0, -30000, 0));
    return change(shared_id, 0, 10000, SEM_UNDO) == 0 ? 0 : errno;
}

static int undo_and_unshare(void) {
    MUST(change(shared_id, 0, 3, SEM_UNDO));
    if (unshare(CLONE_SYSVSEM) == -1) {
        return 99;
    }
    int then = value(shared_id, 0);
    MUST(change(shared_id, 0, 1, SEM_UNDO));
    return then;
}

static int undo_and_execute(void) {
    MUST(change(shared_id, 0, 3, SEM_UNDO));
    execl("/proc/self/exe", "sem", "value", NULL);
    return 99;
}

static void *thread_undoes(void *argument) {
    MUST(change(shared_id, 0, 2, SEM_UNDO));
    return argument;
}

// The threads of a process share what is to be undone: nothing is at the end of one of them.
static int undo_by_thread(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, thread_undoes, NULL);
    pthread_join(thread, NULL);
    return value(shared_id, 0);
}

static void undo(void) {
    int id = shared_id = MUST(semget(IPC_PRIVATE, 2, 0600));
    MUST(CONTROL(id, 0, SETVAL, 10));
    say("undo: value meanwhile", "%d", WEXITSTATUS(reap(spawn(undo_and_end))));
    say("undo: values after the end", "%d %d", value(id, 0), value(id, 1));
    say("undo: a child has none of it", "%d", WEXITSTATUS(reap(spawn(undo_and_fork))));
    say("undo: value", "%d", value(id, 0));
    say("undo: unshared", "%d", WEXITSTATUS(reap(spawn(undo_and_unshare))));
    say("undo: value", "%d", value(id, 0));
    say("undo: after a thread's end", "%d", WEXITSTATUS(reap(spawn(undo_by_thread))));
    say("undo: value", "%d", value(id, 0));
    char number[16];
    snprintf(number, sizeof(number), "%d", id);
    setenv("SET", number, 1);
    say("undo: in a program executed", "%d", WEXITSTATUS(reap(spawn(undo_and_execute))));
    say("undo: value", "%d", value(id, 0));
    reap(spawn(undo_below_zero));
    say("undo: not below zero", "%d", value(id, 0));
    reap(spawn(undo_and_set));
    say("undo: forgotten when the value is set", "%d", value(id, 0));
    say("undo: too much to undo", "%s", error_name(WEXITSTATUS(reap(spawn(undo_too_much)))));
    MUST(CONTROL(id, 0, SETVAL, 0));
    pid_t waiting = spawn(down_one);
    await_blocked(waiting);
    MUST(CONTROL(id, 1, SETVAL, 0));
    pid_t holder = MUST(fork());
    if (holder == 0) {
        MUST(change(id, 0, 1, 0));
        MUST(change(id, 0, 0, 0)); // taken by the one that waits
        MUST(change(id, 0, 1, 0));
        MUST(change(id, 0, -1, SEM_UNDO));
        _exit(0); // and so is one more, at the end
    }
    reap(waiting);
    reap(holder);
    say("undo: at the end one is there", "%d", value(id, 0));
    waiting = spawn(down_five);
    await_blocked(waiting);
    holder = MUST(fork());
    if (holder == 0) {
        MUST(change(id, 0, 4, 0));
        _exit(0);
    }
    reap(holder);
    say("wait for five", "%s", status_text(reap(waiting)));
    MUST(CONTROL(id, 0, IPC_RMID, 0));
}

static int as_stranger(void) {
    MUST(setgid(1000));
    MUST(setuid(1000));
    struct semid_ds status;
    unsigned short all[1] = {1};
    struct seminfo info;
    say_call("stranger: up", change(shared_id, 0, 1, 0));
    say_call("stranger: zero", change(shared_id, 0, 0, IPC_NOWAIT));
    say_call("stranger: GETVAL", CONTROL(shared_id, 0, GETVAL, 0));
    say_call("stranger: GETVAL of none", CONTROL(shared_id, 9, GETVAL, 0));
    say_call("stranger: SETVAL", CONTROL(shared_id, 0, SETVAL, 1));
    say_call("stranger: SETALL", CONTROL(shared_id, 0, SETALL, .array = all));
    say_call("stranger: IPC_STAT", CONTROL(shared_id, 0, IPC_STAT, .status = &status));
    say_call("stranger: IPC_RMID", CONTROL(shared_id, 0, IPC_RMID, 0));
    say_call("stranger: IPC_SET", CONTROL(shared_id, 0, IPC_SET, .status = &status));
    say_call("stranger: get with rights", semget(0x5151, 1, 0600));
    say_bool("stranger: get without", semget(0x5151, 1, 0) == shared_id);
    int highest = (int)CONTROL(0, 0, SEM_INFO, .info = &info);
    bool found = false;
    for (int i = 0; i <= highest; i++) {
        found |= CONTROL(i, 0, SEM_STAT_ANY, .status = &status) == shared_id;
    }
    say_bool("stranger: SEM_STAT_ANY", found);
    return 0;
}

static void permissions(void) {
    shared_id = MUST(semget(0x5151, 1, IPC_CREAT | 0600));
    reap(spawn(as_stranger));
    struct semid_ds status;
    MUST(CONTROL(shared_id, 0, IPC_STAT, .status = &status));
    status.sem_perm.mode = 0604;
    MUST(CONTROL(shared_id, 0, IPC_SET, .status = &status));
    reap(spawn(as_stranger));
    status.sem_perm.uid = 1000;
    MUST(CONTROL(shared_id, 0, IPC_SET, .status = &status));
    reap(spawn(as_stranger));
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "value") == 0) {
        return value(atoi(getenv("SET")), 0);
    }
    sets();
    operations();
    waits();
    undo();
    permissions();
    return 0;
}
