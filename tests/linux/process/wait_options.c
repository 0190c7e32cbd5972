// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// wait4 and waitid: which children they take, the options, the errors, and what they report.
#include "testing.h"

static struct gate gate;

static int wait_for_gate(void) {
    gate_wait(&gate);
    return 3;
}

static int stop_once(void) {
    raise(SIGSTOP);
    gate_wait(&gate);
    return 4;
}

static int own_group(void) {
    setpgid(0, 0);
    return 5;
}

static int burn(void) {
    for (volatile int i = 0; i < 1000000; i++) {}
    return 0;
}

static void wait_stop_continue(void) {
    int status = 0;
    pid_t pid = spawn(stop_once);
    say_bool("WUNTRACED reports the stop", waitpid(pid, &status, WUNTRACED) == pid);
    say("status", "%s", status_text(status));
    say_call("a stop is reported once", waitpid(pid, &status, WUNTRACED | WNOHANG));
    kill(pid, SIGCONT);
    say_bool("WCONTINUED reports the continuation", waitpid(pid, &status, WCONTINUED) == pid);
    say("status", "%s", status_text(status));
    gate_raise(&gate);
    say("end", "%s", status_text(reap(pid)));

    pid = spawn(stop_once);
    await_state(pid, 'T');
    say_call("without WUNTRACED a stop is not reported", waitpid(pid, &status, WNOHANG));
    kill(pid, SIGKILL);
    say("a stopped child that is killed", "%s", status_text(reap(pid)));
}

static void wait_information(void) {
    siginfo_t information;
    memset(&information, 0, sizeof(information));
    pid_t pid = spawn(own_group);
    say_call("waitid WEXITED WNOWAIT", waitid(P_PID, (id_t)pid, &information, WEXITED | WNOWAIT));
    say("siginfo", "%s code %d status %d uid %d, pid %s", signal_name(information.si_signo), information.si_code,
        information.si_status, (int)information.si_uid, information.si_pid == pid ? "right" : "wrong");
    say_call("waitid again takes it", waitid(P_PID, (id_t)pid, &information, WEXITED));
    say_call("and then it is gone", waitid(P_PID, (id_t)pid, &information, WEXITED));

    pid = spawn(wait_for_gate);
    information.si_pid = 1;
    information.si_signo = 1;
    say_call("waitid WNOHANG with nothing to report", waitid(P_ALL, 0, &information, WEXITED | WNOHANG));
    say("siginfo is zero", "signo %d pid %d", information.si_signo, information.si_pid);
    say_call("waitid without a kind of event", waitid(P_ALL, 0, &information, WNOHANG));
    say_call("waitid with an unknown id type", waitid((idtype_t)9, 0, &information, WEXITED));
    kill(pid, SIGKILL);
    say_call("waitid of a killed child", waitid(P_ALL, 0, &information, WEXITED));
    say("siginfo", "code %d status %s", information.si_code, signal_name(information.si_status));

    pid = spawn(stop_once);
    say_call("waitid WSTOPPED", waitid(P_PID, (id_t)pid, &information, WSTOPPED));
    say("siginfo", "code %d status %s", information.si_code, signal_name(information.si_status));
    kill(pid, SIGCONT);
    say_call("waitid WCONTINUED", waitid(P_PID, (id_t)pid, &information, WCONTINUED));
    say("siginfo", "code %d status %s", information.si_code, signal_name(information.si_status));
    gate_raise(&gate);
    reap(pid);
}

int main(void) {
    int status = 0;
    gate = gate_create();
    say_call("no children", waitpid(-1, &status, 0));
    say_call("no children, WNOHANG", waitpid(-1, &status, WNOHANG));
    say_call("not a child: process 1", waitpid(1, &status, 0));
    say_call("pid that does not exist", waitpid(999999, &status, 0));
    say_call("invalid option", waitpid(-1, &status, 0x10000));
    say_call("group without children", waitpid(-999999, &status, 0));
    say_call("smallest number", syscall(SYS_wait4, -2147483647 - 1, &status, 0, NULL));

    pid_t pid = spawn(wait_for_gate);
    say_call("child that runs, WNOHANG", waitpid(pid, &status, WNOHANG));
    gate_raise(&gate);
    say_bool("waitpid gives its pid", waitpid(pid, &status, 0) == pid);
    say("status", "%s", status_text(status));
    say_call("the same child again", waitpid(pid, &status, 0));

    pid = spawn(own_group);
    await_state(pid, 'Z');
    say_call("child in another group is not in group 0", waitpid(0, &status, 0));
    say_bool("found by its group", waitpid(-pid, &status, 0) == pid);

    pid = spawn(own_group);
    say_bool("status pointer may be NULL", waitpid(pid, NULL, 0) == pid);
    pid = spawn(own_group);
    await_state(pid, 'Z');
    say_call("bad status pointer", syscall(SYS_wait4, pid, (void *)8, 0, NULL));
    say_call("and the child was taken", waitpid(pid, NULL, 0));
    pid = spawn(own_group);
    say_call("__WCLONE does not see an ordinary child", waitpid(pid, &status, (int)__WCLONE | WNOHANG));
    say_bool("__WALL does", waitpid(pid, &status, __WALL) == pid);

    struct rusage usage;
    memset(&usage, 0xff, sizeof(usage));
    pid = spawn(burn);
    say_bool("wait4 with rusage", wait4(pid, &status, 0, &usage) == pid);
    say_bool("its times are plausible", usage.ru_utime.tv_sec >= 0 && usage.ru_utime.tv_sec < 20 &&
                                            usage.ru_utime.tv_usec >= 0 && usage.ru_utime.tv_usec < 1000000);
    wait_stop_continue();
    wait_information();
    return 0;
}
