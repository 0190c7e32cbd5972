// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// mprotect: what each protection allows, changes in the middle of a mapping, execution of what was written.
#include "testing.h"
#include <setjmp.h>

static sigjmp_buf back;
static volatile int seen_code;

static void handler(int signal, siginfo_t *information, void *context) {
    (void)context;
    seen_code = information->si_code;
    siglongjmp(back, signal);
}

static char *area;

static const char *try_read(void) {
    if (sigsetjmp(back, 1)) {
        return seen_code == SEGV_ACCERR ? "refused" : "not mapped";
    }
    *(volatile char *)area;
    return "yes";
}

static const char *try_write(void) {
    if (sigsetjmp(back, 1)) {
        return seen_code == SEGV_ACCERR ? "refused" : "not mapped";
    }
    *(volatile char *)area = (char)0xc3;
    return "yes";
}

static const char *try_execute(void) {
    if (sigsetjmp(back, 1)) {
        return seen_code == SEGV_ACCERR ? "refused" : "not mapped";
    }
    ((void (*)(void))area)();
    return "yes";
}

static void show(const char *name, int protection) {
    if (mprotect(area, PAGE, protection) == -1) {
        say(name, "%s", error_name(errno));
        return;
    }
    const char *read = try_read(), *write = try_write(), *execute = try_execute();
    say(name, "read %s, write %s, execute %s", read, write, execute);
}

static int calls_a_call(void) {
    // A system call's buffer obeys the same rights as the program's own access.
    mprotect(area, PAGE, PROT_READ);
    int fd = MUST(open("/dev/zero", O_RDONLY));
    say_call("read into a read-only page", read(fd, area, 10));
    mprotect(area, PAGE, PROT_NONE);
    say_call("read into a page without rights", read(fd, area, 10));
    int out = MUST(open("f", O_RDWR | O_CREAT, 0600));
    say_call("write from a page without rights", write(out, area, 10));
    mprotect(area, PAGE, PROT_WRITE);
    say_call("write from a page that is write-only", write(out, area, 10));
    mprotect(area, PAGE, PROT_EXEC);
    say_call("write from a page that is execute-only", write(out, area, 10));
    return 0;
}

int main(void) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    area = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(area, 0xc3, PAGE);
    show("none", PROT_NONE);
    show("read", PROT_READ);
    show("write", PROT_WRITE);
    show("execute", PROT_EXEC);
    show("read, write", PROT_READ | PROT_WRITE);
    show("read, execute", PROT_READ | PROT_EXEC);
    show("read, write, execute", PROT_READ | PROT_WRITE | PROT_EXEC);
    show("none again", PROT_NONE);
    area = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    show("made without rights, then write", PROT_READ | PROT_WRITE);
    munmap(area, PAGE);
    say("unmapped", "read %s, write %s, execute %s", try_read(), try_write(), try_execute());

    area = mmap(NULL, 5 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *base = area;
    mprotect(base + 2 * PAGE, PAGE, PROT_READ);
    char text[6] = "";
    for (int i = 0; i < 5; i++) {
        area = base + i * PAGE;
        text[i] = try_write()[0];
    }
    say("one read-only page in the middle", "%s", text);
    area = base;
    say_child("buffers of calls", calls_a_call);
    return 0;
}
