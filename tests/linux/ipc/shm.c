// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// System V shared memory: attaching and detaching in every form, counts over fork, exec and exit, removal while attached, permissions, limits.
#include "testing.h"
#include <sys/ipc.h>
#include <sys/shm.h>

#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif
#ifndef SHM_HUGETLB
#define SHM_HUGETLB 04000
#endif

static int id;

static unsigned long attached(void) {
    struct shmid_ds s;
    return shmctl(id, IPC_STAT, &s) == -1 ? 999 : s.shm_nattch;
}

static const char *attach_error(const void *address, int flags) {
    void *at = shmat(id, address, flags);
    if (at == (void *)-1) {
        return error_name(errno);
    }
    shmdt(at);
    return "ok";
}

static void segments(void) {
    say_call("shmget: size 0", shmget(IPC_PRIVATE, 0, 0600));
    say_call("shmget: no such key", shmget(0x6161, PAGE, 0600));
    say_call("shmget: far too large", shmget(IPC_PRIVATE, (size_t)-1, 0600));
    say_call("shmget: larger than memory", shmget(IPC_PRIVATE, 1UL << 40, 0600));
    say_call("shmget: huge pages", shmget(IPC_PRIVATE, 2 << 20, SHM_HUGETLB | 0600));
    say_call("shmget: huge pages of no size", shmget(IPC_PRIVATE, 2 << 20, SHM_HUGETLB | (5 << 26) | 0600));
    id = MUST(shmget(0x6161, 5000, IPC_CREAT | 0640));
    say_call("shmget: exclusive", shmget(0x6161, 5000, IPC_CREAT | IPC_EXCL | 0600));
    say_bool("shmget: the same", shmget(0x6161, 0, 0) == id && shmget(0x6161, 5000, 0) == id);
    say_call("shmget: larger than it is", shmget(0x6161, 5001, 0));
    struct shmid_ds s;
    say_call("IPC_STAT", shmctl(id, IPC_STAT, &s));
    say("size, attached, mode, last, times", "%lu %lu %o %d %d %d", (unsigned long)s.shm_segsz,
        (unsigned long)s.shm_nattch, s.shm_perm.mode, s.shm_lpid, s.shm_atime != 0, s.shm_dtime != 0);
    say_bool("creator, change", s.shm_cpid == getpid() && time(NULL) - s.shm_ctime < 3);
    struct {
        unsigned long max, min, count, each, all, unused[4];
    } limits;
    say_bool("IPC_INFO: an index", shmctl(0, IPC_INFO, (struct shmid_ds *)&limits) >= 0);
    say("IPC_INFO", "%lu %lu %lu %lu %lu", limits.max, limits.min, limits.count, limits.each, limits.all);
    struct {
        int used, pad;
        unsigned long total, resident, swapped, attempts, successes;
    } info;
    int highest = (int)MUST(shmctl(0, SHM_INFO, (struct shmid_ds *)&info));
    say("SHM_INFO", "%d %lu %lu %lu", info.used, info.total, info.resident, info.swapped);
    bool found = false, found_any = false;
    for (int i = 0; i <= highest; i++) {
        found |= shmctl(i, SHM_STAT, &s) == id;
        found_any |= shmctl(i, SHM_STAT_ANY, &s) == id;
    }
    say_bool("SHM_STAT finds it", found && found_any);
    say_call("unknown command", shmctl(id, 99, &s));
    say_call("negative", shmctl(-1, IPC_STAT, &s));
    say_call("no such segment", shmctl(id + (3 << 15), IPC_STAT, &s));
    say_call("IPC_STAT: bad address", shmctl(id, IPC_STAT, (void *)8));
    s.shm_perm.mode = 0666;
    s.shm_perm.uid = 5;
    s.shm_perm.gid = 6;
    say_call("IPC_SET", shmctl(id, IPC_SET, &s));
    MUST(shmctl(id, IPC_STAT, &s));
    say("after IPC_SET", "%o %d %d", s.shm_perm.mode, s.shm_perm.uid, s.shm_perm.gid);
    say_call("SHM_LOCK", shmctl(id, SHM_LOCK, NULL));
    MUST(shmctl(id, IPC_STAT, &s));
    say("locked: mode", "%o", s.shm_perm.mode);
    say_call("SHM_UNLOCK", shmctl(id, SHM_UNLOCK, NULL));
    MUST(shmctl(id, IPC_STAT, &s));
    say("unlocked: mode", "%o", s.shm_perm.mode);
}

static int child_of_fork(void) {
    return (int)attached();
}

static int child_detaches(void) {
    return 0;
}

static int child_executes(void) {
    execl("/tests/no-such-program", "x", NULL);
    return (int)attached();
}

static volatile char *shared;

static int child_writes(void) {
    shared[100] = 'w';
    return 0;
}

static void attaching(void) {
    char *a = shmat(id, NULL, 0);
    say_bool("attached", a != (void *)-1);
    shared = a;
    say("attached once", "%lu", attached());
    char *b = shmat(id, NULL, SHM_RDONLY);
    say("attached twice", "%lu", attached());
    strcpy(a, "seen on both sides");
    say("the other side", "%s", b);
    reap(spawn(child_writes));
    say("a child's write", "%c", b[100]);
    say("after fork", "%d", WEXITSTATUS(reap(spawn(child_of_fork))));
    reap(spawn(child_detaches));
    say("after the child's end", "%lu", attached());
    say("exec that fails", "%d", WEXITSTATUS(reap(spawn(child_executes))));
    say_call("write to it through mprotect", mprotect(b, PAGE, PROT_READ | PROT_WRITE));
    say_call("unaligned detach", shmdt(b + 1));
    say_call("detach", shmdt(b));
    say_call("detach again", shmdt(b));
    say("then", "%lu", attached());
    struct shmid_ds s;
    MUST(shmctl(id, IPC_STAT, &s));
    say_bool("last, times", s.shm_lpid == getpid() && s.shm_atime != 0 && s.shm_dtime != 0);
    say_call("mprotect of a part", mprotect(a, PAGE, PROT_READ));
    say("pieces are counted", "%lu", attached());
    say_call("a part unmapped", munmap(a, PAGE));
    say("then", "%lu", attached());
    say_call("the rest detached at the address of all", shmdt(a));
    say("then", "%lu", attached());
    say("at an odd address", "%s", attach_error((void *)0x10000123, 0));
    char *c = MUST(mmap(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    say("rounded, over another mapping", "%s", attach_error(c + 5, SHM_RND));
    say("over another mapping", "%s", attach_error(c, 0));
    char *d = shmat(id, c, SHM_REMAP);
    say_bool("over another mapping with SHM_REMAP", d == c);
    say("its text", "%s", d);
    say("SHM_REMAP without an address", "%s", attach_error(NULL, SHM_REMAP));
    say_call("detached", shmdt(d));
    MUST(munmap(c, 4 * PAGE));
    say("address 0 by rounding, SHM_REMAP", "%s", attach_error((void *)5, SHM_RND | SHM_REMAP));
    say("beyond user memory", "%s", attach_error((void *)0x7ffffffff000, 0));
    say("SHM_EXEC without the right", "%s", attach_error(NULL, SHM_EXEC));
    say_bool("no such segment", shmat(id + (3 << 15), NULL, 0) == (void *)-1 && errno == EINVAL);
    say_bool("negative", shmat(-1, NULL, 0) == (void *)-1 && errno == EINVAL);
    a = shmat(id, NULL, 0);
    say_bool("data stay", strcmp(a, "seen on both sides") == 0);
    MUST(munmap(a, 2 * PAGE));
    say("munmap detaches, too", "%lu", attached());
}

static int child_keeps(void) {
    pause();
    return 0;
}

static void removal(void) {
    char *a = shmat(id, NULL, 0);
    pid_t pid = spawn(child_keeps);
    await_blocked(pid);
    say_call("removed while attached", shmctl(id, IPC_RMID, NULL));
    struct shmid_ds s;
    say_call("IPC_STAT", shmctl(id, IPC_STAT, &s));
    say("mode, key, attached", "%o %x %lu", s.shm_perm.mode, s.shm_perm.__key, (unsigned long)s.shm_nattch);
    say_call("its key", shmget(0x6161, 0, 0));
    say_call("removed again", shmctl(id, IPC_RMID, NULL));
    char *b = shmat(id, NULL, 0);
    say_bool("attached by its number", b != (void *)-1 && strcmp(b, "seen on both sides") == 0);
    MUST(shmdt(b));
    MUST(shmdt(a));
    say("the child has it", "%lu", attached());
    kill(pid, SIGKILL);
    reap(pid);
    say_call("gone with the child", shmctl(id, IPC_STAT, &s));
    id = MUST(shmget(IPC_PRIVATE, PAGE, 0600));
    say_call("removed", shmctl(id, IPC_RMID, NULL));
    say_call("gone at once", shmctl(id, IPC_STAT, &s));
    char *fresh = shmat(id = MUST(shmget(IPC_PRIVATE, 3 * PAGE, 0600)), NULL, 0);
    bool zero = true;
    for (int i = 0; i < 3 * PAGE; i++) {
        zero &= fresh[i] == 0;
    }
    say_bool("a new one is zero", zero);
    char path[64], line[200] = "";
    snprintf(path, sizeof(path), "%08lx-", (unsigned long)fresh);
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof(line), maps) && strncmp(line, path, strlen(path)) != 0) {}
    fclose(maps);
    say("maps", "%s", strtok(strchr(line, '/') ? strchr(line, '/') : line, "\n"));
    say_bool("maps: the number", strstr(line, " ") != NULL);
    MUST(shmctl(id, IPC_RMID, NULL));
    MUST(shmdt(fresh));
    say_call("gone with the last mapping", shmctl(id, IPC_STAT, &s));
}

static int as_stranger(void) {
    MUST(setgid(1000));
    MUST(setuid(1000));
    struct shmid_ds s;
    say("stranger: attach", "%s", attach_error(NULL, 0));
    say("stranger: attach to read", "%s", attach_error(NULL, SHM_RDONLY));
    say_call("stranger: IPC_STAT", shmctl(id, IPC_STAT, &s));
    memset(&s, 0, sizeof(s));
    say_call("stranger: IPC_SET", shmctl(id, IPC_SET, &s));
    say_call("stranger: SHM_LOCK", shmctl(id, SHM_LOCK, NULL));
    say_call("stranger: IPC_RMID", shmctl(id, IPC_RMID, NULL));
    say_call("stranger: huge pages", shmget(IPC_PRIVATE, 2 << 20, SHM_HUGETLB | 0600));
    return 0;
}

int main(void) {
    segments();
    attaching();
    removal();
    id = MUST(shmget(IPC_PRIVATE, PAGE, 0604));
    reap(spawn(as_stranger));
    MUST(shmctl(id, IPC_RMID, NULL));
    return 0;
}
