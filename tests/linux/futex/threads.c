// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Locks of the C library on futexes: mutexes, conditions, semaphores, barriers under contention; the word cleared at
// a thread's end; robust lists.
#include "testing.h"
#include <pthread.h>
#include <semaphore.h>

enum { THREADS = 4, ROUNDS = 2000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static pthread_barrier_t barrier;
static long counter, turn, phases;

static void *count(void *argument) {
    (void)argument;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        long now = counter;
        if (i % 64 == 0) {
            sched_yield();
        }
        counter = now + 1;
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void *take_turns(void *argument) {
    long own = (long)(intptr_t)argument;
    for (int i = 0; i < 40; i++) {
        pthread_mutex_lock(&mutex);
        while (turn % THREADS != own) {
            pthread_cond_wait(&condition, &mutex);
        }
        turn++;
        pthread_cond_broadcast(&condition);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void *post(void *argument) {
    (void)argument;
    for (int i = 0; i < 500; i++) {
        sem_post(&semaphore);
    }
    return NULL;
}

static void *meet(void *argument) {
    (void)argument;
    for (int i = 0; i < 100; i++) {
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) {
            phases++;
        }
    }
    return NULL;
}

static void run(void *(*function)(void *)) {
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, function, (void *)i);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

static pthread_mutex_t *robust;

static void *die_with_lock(void *argument) {
    (void)argument;
    pthread_mutex_lock(robust);
    return NULL;
}

static int die_with_lock_process(void) {
    pthread_mutex_lock(robust);
    _exit(0);
}

static void make_robust(void) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    robust = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutex_init(robust, &attributes);
}

int main(void) {
    run(count);
    say("counted under a mutex", "%ld", counter);
    run(take_turns);
    say("turns taken with a condition", "%ld", turn);
    sem_init(&semaphore, 0, 0);
    pthread_t poster;
    pthread_create(&poster, NULL, post, NULL);
    for (int i = 0; i < 500; i++) {
        sem_wait(&semaphore);
    }
    pthread_join(poster, NULL);
    say_call("semaphore is at zero", sem_trywait(&semaphore));
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    say_call("sem_timedwait that is over", sem_timedwait(&semaphore, &until));
    say("mutex with a time that is over", "%s",
        (pthread_mutex_lock(&mutex), error_name(pthread_mutex_timedlock(&mutex, &until))));
    pthread_mutex_unlock(&mutex);
    pthread_barrier_init(&barrier, NULL, THREADS);
    run(meet);
    say("phases at a barrier", "%ld", phases);

    make_robust();
    pthread_t thread;
    pthread_create(&thread, NULL, die_with_lock, NULL);
    pthread_join(thread, NULL);
    say("lock whose owner, a thread, has ended", "%s", error_name(pthread_mutex_lock(robust)));
    pthread_mutex_consistent(robust);
    pthread_mutex_unlock(robust);
    reap(spawn(die_with_lock_process));
    say("lock whose owner, a process, has ended", "%s", error_name(pthread_mutex_lock(robust)));
    size_t length = 0;
    void *head = NULL;
    say_call("get_robust_list", syscall(SYS_get_robust_list, 0, &head, &length));
    say("length of its head", "%d", (int)length);
    say_call("set_robust_list with a wrong length", syscall(SYS_set_robust_list, head, 8));
    return 0;
}
