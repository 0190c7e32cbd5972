// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// /proc/sysvipc: the headings, and a line for each object, with what the calls tell of it.
#include "testing.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

static char text[1 << 16];

static void load(const char *path) {
    int fd = MUST(open(path, O_RDONLY));
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
}

// The numbers of the line of an object, from the permissions on.
static int line_of(int id, long *numbers, int most) {
    char *line = strchr(text, '\n');
    while (line && line[1]) {
        int key, number, at, count = 0;
        if (sscanf(++line, "%d %d%n", &key, &number, &at) == 2 && number == id) {
            char *end, *from = line + at;
            while (count < most && *from && *from != '\n') {
                numbers[count++] = strtol(from, &end, 10);
                from = end;
            }
            return count;
        }
        line = strchr(line, '\n');
    }
    return 0;
}

int main(void) {
    long n[20] = {0};
    int id = MUST(shmget(0x1001, 5000, IPC_CREAT | 0640));
    char *at = shmat(id, NULL, 0);
    at[0] = 1;
    load("/proc/sysvipc/shm");
    say("shm: heading", "%.*s", (int)strcspn(text, "\n"), text);
    say("shm: numbers", "%d", line_of(id, n, 20));
    say("shm: mode, size, attached, uid, gid, cuid, cgid", "%ld %ld %ld %ld %ld %ld %ld", n[0], n[1], n[4], n[5], n[6],
        n[7], n[8]);
    say_bool("shm: creator, last", n[2] == getpid() && n[3] == getpid());
    say("shm: attached at, detached at, resident, swapped", "%d %d %ld %ld", n[9] > 0, n[10] > 0, n[12], n[13]);
    MUST(shmctl(id, IPC_RMID, NULL));
    load("/proc/sysvipc/shm");
    say("shm: removed while attached: numbers, mode", "%d %ld", line_of(id, n, 20), n[0]);
    MUST(shmdt(at));
    load("/proc/sysvipc/shm");
    say("shm: gone", "%d", line_of(id, n, 20));
    id = MUST(semget(0x1002, 3, IPC_CREAT | 0604));
    load("/proc/sysvipc/sem");
    say("sem: heading", "%.*s", (int)strcspn(text, "\n"), text);
    say("sem: numbers", "%d", line_of(id, n, 20));
    say("sem: mode, count, operated", "%ld %ld %ld", n[0], n[1], n[6]);
    MUST(semctl(id, 0, IPC_RMID));
    id = MUST(msgget(0x1003, IPC_CREAT | 0600));
    struct {
        long type;
        char text[10];
    } message = {1, "ten bytes"};
    MUST(msgsnd(id, &message, 10, 0));
    load("/proc/sysvipc/msg");
    say("msg: heading", "%.*s", (int)strcspn(text, "\n"), text);
    say("msg: numbers", "%d", line_of(id, n, 20));
    say("msg: mode, bytes, messages, receiver", "%ld %ld %ld %ld", n[0], n[1], n[2], n[4]);
    say_bool("msg: sender", n[3] == getpid());
    MUST(msgctl(id, IPC_RMID, NULL));
    return 0;
}
