// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// flock: kinds, conversions (which give the old lock back first), who holds it over dup, fork and open, waits, errors.
#include "testing.h"
#include <sys/file.h>

#ifndef LOCK_MAND
#define LOCK_MAND 32
#endif

static int fd, other;
static struct gate ready, go;

static const char *try(int at, int operation) {
    return flock(at, operation) == -1 ? error_name(errno) : "0";
}

static int waiter(void) {
    int own = MUST(open("f", O_RDONLY));
    close(other);
    gate_raise(&ready);
    if (flock(own, LOCK_EX) == -1) {
        return 1;
    }
    return 0;
}

static void handler(int signal) {
    (void)signal;
}

static int interrupted(void) {
    struct sigaction a = {.sa_handler = handler};
    sigaction(SIGUSR1, &a, NULL);
    int own = MUST(open("f", O_RDONLY));
    gate_raise(&ready);
    say("interrupted", "%s", try(own, LOCK_EX));
    return 0;
}

static int child_unlocks(void) {
    return flock(fd, LOCK_UN) == 0 ? 0 : 1;
}

int main(void) {
    ready = gate_create();
    go = gate_create();
    fd = MUST(open("f", O_RDWR | O_CREAT, 0600));
    other = MUST(open("f", O_RDONLY));
    say("shared", "%s", try(fd, LOCK_SH | LOCK_NB));
    say("shared by another", "%s", try(other, LOCK_SH | LOCK_NB));
    say("exclusive of the first: conversion refused", "%s", try(fd, LOCK_EX | LOCK_NB));
    say("exclusive of the other: the first has lost its own", "%s", try(other, LOCK_EX | LOCK_NB));
    say("shared of the first now", "%s", try(fd, LOCK_SH | LOCK_NB));
    say("exclusive again", "%s", try(other, LOCK_EX | LOCK_NB));
    say("downgrade", "%s", try(other, LOCK_SH));
    say("shared beside it", "%s", try(fd, LOCK_SH | LOCK_NB));
    say("unlock", "%s", try(fd, LOCK_UN));
    say("unlock twice", "%s", try(fd, LOCK_UN));
    say("unlock of the other", "%s", try(other, LOCK_UN | LOCK_NB));
    say("a reader may lock exclusively", "%s", try(other, LOCK_EX | LOCK_NB));
    int copy = MUST(dup(other));
    say("its duplicate is the same", "%s", try(copy, LOCK_EX | LOCK_NB));
    close(other);
    say("held while a duplicate is open", "%s", try(fd, LOCK_SH | LOCK_NB));
    close(copy);
    say("free behind the last", "%s", try(fd, LOCK_EX | LOCK_NB));
    other = MUST(open("f", O_RDONLY));
    say("a child's unlock", "%s", status_text(reap(spawn(child_unlocks))));
    say("counts for the parent", "%s", try(other, LOCK_EX | LOCK_NB));
    pid_t pid = spawn(waiter);
    gate_wait(&ready);
    await_blocked(pid);
    flock(other, LOCK_UN);
    say("waited for", "%s", status_text(reap(pid)));
    flock(other, LOCK_EX);
    pid = spawn(interrupted);
    gate_wait(&ready);
    await_blocked(pid);
    kill(pid, SIGUSR1);
    reap(pid);
    pid = spawn(waiter);
    gate_wait(&ready);
    await_blocked(pid);
    close(other);
    say("waited for a close", "%s", status_text(reap(pid)));
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    flock(fd, LOCK_EX);
    other = MUST(open("f", O_RDWR));
    say_call("record locks do not meet it", fcntl(other, F_SETLK, &l));
    say("no kind", "%s", try(fd, 0));
    say("only LOCK_NB", "%s", try(fd, LOCK_NB));
    say("two kinds", "%s", try(fd, LOCK_SH | LOCK_EX));
    say("unknown bit", "%s", try(fd, LOCK_SH | 16));
    say("mandatory", "%s", try(fd, LOCK_MAND));
    say("mandatory on a closed descriptor", "%s", try(99, LOCK_MAND));
    say("kind before descriptor", "%s", try(99, 0));
    say("closed descriptor", "%s", try(99, LOCK_SH));
    int path = MUST(open("f", O_PATH));
    say("O_PATH", "%s", try(path, LOCK_SH));
    int neither = MUST(open("f", 3));
    say("access mode 3", "%s", try(neither, LOCK_SH));
    say("access mode 3, unlock", "%s", try(neither, LOCK_UN));
    int folder = MUST(open(".", O_RDONLY));
    say("a folder", "%s", try(folder, LOCK_EX | LOCK_NB));
    int ends[2];
    MUST(pipe(ends));
    say("a pipe", "%s", try(ends[0], LOCK_EX | LOCK_NB));
    say("its other end", "%s", try(ends[1], LOCK_EX | LOCK_NB));
    return 0;
}
