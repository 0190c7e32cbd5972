// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// System V message queues: kinds of messages, waits on both sides, copies, limits, removal, permissions.
#include "testing.h"
#include <sys/ipc.h>
#include <sys/msg.h>

#ifndef MSG_STAT_ANY
#define MSG_STAT_ANY 13
#endif
#ifndef MSG_COPY
#define MSG_COPY 040000
#endif
#ifndef MSG_EXCEPT
#define MSG_EXCEPT 020000
#endif

struct message {
    long type;
    char text[9000];
};

static struct message out, in;
static int queue;

static long put(long type, const char *text, int flags) {
    out.type = type;
    strcpy(out.text, text);
    return msgsnd(queue, &out, strlen(text) + 1, flags);
}

static long get(long type, size_t size, int flags) {
    memset(&in, 0, sizeof(in));
    return msgrcv(queue, &in, size, type, flags);
}

static void say_message(const char *name, long type, int flags) {
    long n = get(type, 100, flags);
    if (n == -1) {
        say(name, "%s", error_name(errno));
    } else {
        say(name, "%ld \"%s\" of type %ld", n, in.text, in.type);
    }
}

static void kinds(void) {
    queue = MUST(msgget(IPC_PRIVATE, 0600));
    put(5, "five", 0);
    put(3, "three", 0);
    put(7, "seven", 0);
    put(3, "three again", 0);
    put(1, "one", 0);
    say_message("copy of number 1", 1, MSG_COPY | IPC_NOWAIT);
    say_message("copy of number 9", 9, MSG_COPY | IPC_NOWAIT);
    say_message("copy without IPC_NOWAIT", 1, MSG_COPY);
    say_message("copy and except", 1, MSG_COPY | MSG_EXCEPT | IPC_NOWAIT);
    say_message("type 3", 3, 0);
    say_message("at most 4", -4, 0);
    say_message("at most 4 again", -4, 0);
    say_message("except 5", 5, MSG_EXCEPT);
    say_message("any", 0, 0);
    say_message("none left", 0, IPC_NOWAIT);
    put(2, "a long message", 0);
    say_call("no room for it", get(0, 5, 0));
    say_call("cut", get(0, 5, MSG_NOERROR));
    say("cut text", "%.5s", in.text);
    out.type = 4;
    say_call("an empty message", msgsnd(queue, &out, 0, 0));
    say_call("an empty message received", get(0, 0, 0));
    say("its type", "%ld", in.type);
    say_call("type 0 sent", put(0, "x", 0));
    say_call("type -1 sent", put(-1, "x", 0));
    say_call("8192 bytes", msgsnd(queue, (out.type = 1, &out), 8192, 0));
    say_call("8193 bytes", msgsnd(queue, &out, 8193, 0));
    say_call("a bad size", msgsnd(queue, &out, (size_t)-1, 0));
    say_call("a bad address", msgsnd(queue, (void *)8, 1, 0));
    say_call("a bad address for the type", msgrcv(queue, (void *)8, 8192, 0, 0));
    say_message("the message is lost", 0, IPC_NOWAIT);
    say_call("receive: a bad size", msgrcv(queue, &in, (size_t)-1, 0, 0));
    say_call("receive: no such queue", msgrcv(queue + (7 << 15), &in, 1, 0, 0));
    say_call("send: no such queue", msgsnd(queue + (7 << 15), &out, 1, 0));
    say_call("send: negative queue", msgsnd(-1, &out, 1, 0));
    say_call("removed", msgctl(queue, IPC_RMID, NULL));
}

static void status(void) {
    struct msqid_ds s;
    struct msginfo info;
    say_call("msgget: no such key", msgget(0x7171, 0));
    queue = MUST(msgget(0x7171, IPC_CREAT | 0640));
    say_call("msgget: exclusive", msgget(0x7171, IPC_CREAT | IPC_EXCL));
    say_bool("msgget: the same", msgget(0x7171, 0) == queue);
    MUST(put(1, "four", 0));
    say_call("IPC_STAT", msgctl(queue, IPC_STAT, &s));
    say("count, bytes, most, mode, receiver", "%lu %lu %lu %o %d", (unsigned long)s.msg_qnum,
        (unsigned long)s.msg_cbytes, (unsigned long)s.msg_qbytes, s.msg_perm.mode, s.msg_lrpid);
    say_bool("sender, time", s.msg_lspid == getpid() && s.msg_stime > 0 && s.msg_rtime == 0);
    s.msg_qbytes = 20;
    s.msg_perm.mode = 0666;
    say_call("IPC_SET", msgctl(queue, IPC_SET, &s));
    say_call("no room", put(1, "sixteen bytes..", IPC_NOWAIT));
    say_call("room for less", put(1, "fifteen bytes.", IPC_NOWAIT));
    s.msg_qbytes = 20000;
    say_call("IPC_SET: beyond the limit, as root", msgctl(queue, IPC_SET, &s));
    s.msg_qbytes = 2;
    MUST(msgctl(queue, IPC_SET, &s));
    while (get(0, 100, IPC_NOWAIT) >= 0) {}
    out.type = 1;
    say_call("empty messages are counted: 1", msgsnd(queue, &out, 0, IPC_NOWAIT));
    say_call("empty messages are counted: 2", msgsnd(queue, &out, 0, IPC_NOWAIT));
    say_call("empty messages are counted: 3", msgsnd(queue, &out, 0, IPC_NOWAIT));
    int highest = (int)MUST(msgctl(0, IPC_INFO, (struct msqid_ds *)&info));
    say("IPC_INFO", "%d %d %d %d %d %d %d %d", info.msgpool, info.msgmap, info.msgmax, info.msgmnb, info.msgmni,
        info.msgssz, info.msgtql, info.msgseg);
    MUST(msgctl(0, MSG_INFO, (struct msqid_ds *)&info));
    say("MSG_INFO: queues, messages, bytes", "%d %d %d", info.msgpool, info.msgmap, info.msgtql);
    bool found = false, found_any = false;
    for (int i = 0; i <= highest; i++) {
        found |= msgctl(i, MSG_STAT, &s) == queue;
        found_any |= msgctl(i, MSG_STAT_ANY, &s) == queue;
    }
    say_bool("MSG_STAT finds it", found && found_any);
    say_call("unknown command", msgctl(queue, 99, &s));
    say_call("negative command", msgctl(queue, -1, &s));
    say_call("IPC_STAT: bad address", msgctl(queue, IPC_STAT, (void *)8));
    say_call("IPC_SET: bad address", msgctl(queue, IPC_SET, (void *)8));
    say_call("IPC_RMID", msgctl(queue, IPC_RMID, NULL));
    say_call("IPC_RMID again", msgctl(queue, IPC_RMID, NULL));
}

static int receive_one(void) {
    long n = get(2, 100, 0);
    return n == -1 ? errno : (int)n;
}

static int receive_small(void) {
    long n = get(0, 2, 0);
    return n == -1 ? errno : (int)n;
}

static int send_one(void) {
    return put(1, "x", 0) == -1 ? errno : 0;
}

static void on_signal(int signal) {
    (void)signal;
}

static int receive_restarted(void) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    return receive_one();
}

static void waits(void) {
    queue = MUST(msgget(IPC_PRIVATE, 0600));
    pid_t a = spawn(receive_one);
    await_blocked(a);
    MUST(put(1, "not for it", 0));
    say_bool("another type: it sleeps on", process_state(a) == 'S');
    MUST(put(2, "this is", 0));
    say("its type", "%s", status_text(reap(a)));
    struct msqid_ds s;
    MUST(msgctl(queue, IPC_STAT, &s));
    say("left", "%lu", (unsigned long)s.msg_qnum);
    say_bool("last receiver is the one that waited", s.msg_lrpid == a);
    get(0, 100, 0);
    pid_t small = spawn(receive_small);
    await_blocked(small);
    MUST(put(1, "too large", 0));
    say("a waiting receiver without room", "%s", error_name(WEXITSTATUS(reap(small))));
    say_message("the message is still there", 0, IPC_NOWAIT);
    s.msg_qbytes = 4;
    MUST(msgctl(queue, IPC_SET, &s));
    MUST(put(1, "abc", 0));
    pid_t sender = spawn(send_one);
    await_blocked(sender);
    get(0, 100, 0);
    say("a sender that waited", "%s", status_text(reap(sender)));
    say_message("its message", 0, IPC_NOWAIT);
    pid_t restarted = spawn(receive_restarted);
    await_blocked(restarted);
    kill(restarted, SIGUSR1);
    say("a signal ends the wait", "%s", error_name(WEXITSTATUS(reap(restarted))));
    MUST(put(1, "abc", 0));
    sender = spawn(send_one);
    pid_t receiver = spawn(receive_one);
    await_blocked(sender);
    await_blocked(receiver);
    MUST(msgctl(queue, IPC_RMID, NULL));
    say("removed: the sender", "%d", WEXITSTATUS(reap(sender)) == EIDRM);
    say("removed: the receiver", "%d", WEXITSTATUS(reap(receiver)) == EIDRM);
}

static int as_stranger(void) {
    MUST(setgid(1000));
    MUST(setuid(1000));
    struct msqid_ds s;
    say_call("stranger: send", put(1, "x", IPC_NOWAIT));
    say_call("stranger: receive", get(0, 100, IPC_NOWAIT));
    say_call("stranger: IPC_STAT", msgctl(queue, IPC_STAT, &s));
    say_call("stranger: IPC_RMID", msgctl(queue, IPC_RMID, NULL));
    return 0;
}

static int own_queue(void) {
    MUST(setgid(1000));
    MUST(setuid(1000));
    queue = MUST(msgget(IPC_PRIVATE, 0000));
    struct msqid_ds s;
    say_call("own without rights: send", put(1, "x", IPC_NOWAIT));
    say_call("own without rights: IPC_STAT", msgctl(queue, IPC_STAT, &s));
    memset(&s, 0, sizeof(s));
    s.msg_perm.uid = 1000;
    s.msg_perm.gid = 1000;
    s.msg_perm.mode = 0600;
    s.msg_qbytes = 20000;
    say_call("own: more bytes than the limit", msgctl(queue, IPC_SET, &s));
    s.msg_qbytes = 16384;
    say_call("own: rights", msgctl(queue, IPC_SET, &s));
    say_call("own: send", put(1, "x", IPC_NOWAIT));
    say_call("own: removed", msgctl(queue, IPC_RMID, NULL));
    return 0;
}

int main(void) {
    kinds();
    status();
    waits();
    queue = MUST(msgget(0x7272, IPC_CREAT | 0620));
    reap(spawn(as_stranger));
    reap(spawn(own_queue));
    return 0;
}
