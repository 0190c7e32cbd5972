// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Orphans: a child whose parent ends belongs to process 1; its wait and signals go there, and it lives on.
#include "testing.h"

static struct gate parent_ended, answer;

static int grandchild(void) {
    gate_wait(&parent_ended);
    for (int i = 0; i < 500 && getppid() != 1; i++) {
        sleep_ms(10);
    }
    say("parent of the orphan", "%d", getppid());
    gate_raise(&answer);
    return 0;
}

static int parent(void) {
    spawn(grandchild);
    return 2;
}

static int session_leader(void) {
    setsid();
    pid_t pid = spawn(grandchild);
    setpgid(pid, pid);
    return 3;
}

int main(void) {
    parent_ended = gate_create();
    answer = gate_create();
    say_child("parent", parent);
    gate_raise(&parent_ended);
    gate_wait(&answer);
    say_call("the grandchild is not ours", waitpid(-1, NULL, WNOHANG));
    say_child("session leader", session_leader);
    gate_raise(&parent_ended);
    gate_wait(&answer);
    say_call("wait", wait(NULL));
    return 0;
}
