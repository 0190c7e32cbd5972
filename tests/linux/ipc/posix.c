// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// POSIX shared memory and named semaphores, as the C library makes them from files below /dev/shm.
#include "testing.h"
#include <semaphore.h>
#include <sys/mount.h>

static sem_t *semaphore;

static int wait_for_it(void) {
    return sem_wait(semaphore) == 0 ? 0 : errno;
}

int main(void) {
    mkdir("/dev", 0755);
    mkdir("/dev/shm", 0755);
    MUST(mount("shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"));
    struct stat s;
    MUST(stat("/dev/shm", &s));
    say("mode of the folder", "%o", (unsigned)s.st_mode);
    say_call("shm_open: none", shm_open("/area", O_RDWR, 0));
    int fd = MUST(shm_open("/area", O_RDWR | O_CREAT | O_EXCL, 0640));
    say_call("shm_open: there", shm_open("/area", O_RDWR | O_CREAT | O_EXCL, 0640));
    MUST(ftruncate(fd, 3 * PAGE));
    MUST(fstat(fd, &s));
    say("mode, size", "%o %ld", (unsigned)s.st_mode, (long)s.st_size);
    char *a = MUST(mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    int again = MUST(shm_open("/area", O_RDONLY, 0));
    char *b = MUST(mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, again, 0));
    strcpy(a + PAGE, "shared");
    say("seen on the other side", "%s", b + PAGE);
    say_call("written where it may only be read", mprotect(b, PAGE, PROT_READ | PROT_WRITE));
    pid_t child = MUST(fork());
    if (child == 0) {
        strcpy(a, "by a child");
        _exit(0);
    }
    reap(child);
    say("a child's write", "%s", b);
    say_call("shm_unlink", shm_unlink("/area"));
    say_call("shm_unlink again", shm_unlink("/area"));
    strcpy(a, "still mapped");
    say("after that", "%s", b);
    semaphore = sem_open("/lock", O_CREAT | O_EXCL, 0600, 1);
    say_bool("sem_open", semaphore != SEM_FAILED);
    say_bool("sem_open: there", sem_open("/lock", O_CREAT | O_EXCL, 0600, 1) == SEM_FAILED && errno == EEXIST);
    say_bool("sem_open: none", sem_open("/other", 0) == SEM_FAILED && errno == ENOENT);
    say_call("sem_wait", sem_wait(semaphore));
    say_call("sem_trywait", sem_trywait(semaphore));
    child = spawn(wait_for_it);
    await_blocked(child);
    sem_t *second = sem_open("/lock", 0);
    say_call("sem_post", sem_post(second));
    say("who waited", "%s", status_text(reap(child)));
    struct timespec past = {1, 0};
    say_call("sem_timedwait", sem_timedwait(semaphore, &past));
    int value = -1;
    MUST(sem_post(semaphore));
    MUST(sem_getvalue(semaphore, &value));
    say("value", "%d", value);
    say_call("sem_unlink", sem_unlink("/lock"));
    say_call("sem_unlink again", sem_unlink("/lock"));
    say_call("sem_wait after that", sem_wait(semaphore));
    say_call("unmounted while mapped", umount("/dev/shm"));
    say_call("unmounted later", umount2("/dev/shm", MNT_DETACH));
    return 0;
}
