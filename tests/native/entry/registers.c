// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The entry itself: numbers that are no calls, registers that are wider than their arguments, what is kept and what comes back; clock_read and bootstrap.
#define _GNU_SOURCE
#include "testing.h"

#include <errno.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void unknown_numbers_are_the_personalitys(void) {
    errno = 0;
    CHECK(syscall(INV_SYS_vmo_clone + 1000) == -1 && errno == ENOSYS);
    errno = 0;
    CHECK(syscall(-1) == -1 && errno == ENOSYS);
    errno = 0;
    CHECK(syscall(0xfff) == -1 && errno == ENOSYS);
    CHECK(syscall(0x100000000 + INV_SYS_handle_close, 0) == -1 && errno == ENOSYS);
}

static void wide_registers_are_refused(void) {
    uint64_t wide = UINT64_C(1) << 32;
    CHECK(inv_syscall1(INV_SYS_handle_close, wide | test_job).status == INV_ERR_BAD_HANDLE);
    CHECK(inv_syscall1(INV_SYS_vmo_get_size, wide | test_job).status == INV_ERR_BAD_HANDLE);
    CHECK(inv_syscall2(INV_SYS_handle_duplicate, test_job, wide).status == INV_ERR_INVALID);
    CHECK(inv_syscall1(INV_SYS_clock_read, wide).status == INV_ERR_INVALID);
    CHECK(inv_syscall3(INV_SYS_job_set_limit, test_job, wide, 0).status == INV_ERR_INVALID);
    CHECK(inv_syscall2(INV_SYS_job_restrict, test_job, wide).status == INV_ERR_INVALID);
}

static void values_are_zero_on_an_error(void) {
    struct inv_result r = inv_syscall6(INV_SYS_handle_close, UINT32_MAX, 2, 3, 4, 5, 6);
    CHECK(r.status == INV_ERR_BAD_HANDLE && r.values[0] == 0 && r.values[1] == 0 && r.values[2] == 0);
    r = inv_syscall6(INV_SYS_clock_read, INV_CLOCK_MONOTONIC, 2, 3, 4, 5, 6);
    CHECK(r.status == INV_OK && r.values[0] != 0 && r.values[1] == 0 && r.values[2] == 0);
}

// keep_call(number, block): the call with rdi, rsi, r9, r12, r13, r14, r15 and rbp from the first eight words, which are stored behind them afterwards.
int64_t keep_call(uint64_t number, uint64_t block[16]);
__asm__(".text\nkeep_call:\n"
        "push %rbx\npush %rbp\npush %r12\npush %r13\npush %r14\npush %r15\n"
        "mov %rdi, %rax\nmov %rsi, %rbx\n"
        "mov (%rbx), %rdi\nmov 8(%rbx), %rsi\nmov 16(%rbx), %r9\nmov 24(%rbx), %r12\n"
        "mov 32(%rbx), %r13\nmov 40(%rbx), %r14\nmov 48(%rbx), %r15\nmov 56(%rbx), %rbp\n"
        "syscall\n"
        "mov %rdi, 64(%rbx)\nmov %rsi, 72(%rbx)\nmov %r9, 80(%rbx)\nmov %r12, 88(%rbx)\n"
        "mov %r13, 96(%rbx)\nmov %r14, 104(%rbx)\nmov %r15, 112(%rbx)\nmov %rbp, 120(%rbx)\n"
        "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbp\npop %rbx\nret\n");

static void other_registers_are_kept(void) {
    uint64_t block[16] = {INV_CLOCK_WALL, 12, 13, 14, 15, 16, 17, 18};
    CHECK(keep_call(INV_SYS_clock_read, block) == INV_OK);
    CHECK(memcmp(block, block + 8, 64) == 0);
    block[0] = 99;
    CHECK(keep_call(INV_SYS_clock_read, block) == INV_ERR_INVALID);
    CHECK(memcmp(block, block + 8, 64) == 0);
}

static void clocks_agree_with_linux(void) {
    struct timespec ts;
    uint64_t mono, mono2, wall;
    CHECK_OK(inv_clock_read(INV_CLOCK_MONOTONIC, &mono));
    clock_gettime(CLOCK_MONOTONIC, &ts);
    CHECK_OK(inv_clock_read(INV_CLOCK_MONOTONIC, &mono2));
    uint64_t linux_time = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
    CHECK(mono <= linux_time && linux_time <= mono2);
    clock_gettime(CLOCK_REALTIME, &ts);
    CHECK_OK(inv_clock_read(INV_CLOCK_WALL, &wall));
    linux_time = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
    CHECK(wall >= linux_time && wall - linux_time < UINT64_C(10000000000));
    CHECK_STATUS(inv_clock_read(2, &wall), INV_ERR_INVALID);
    CHECK(wall == 0);
}

static void in_a_child(void (*what)(void)) {
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        test_failures = 0;
        what();
        fflush(stdout);
        _exit(test_failures > 0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void child_has_no_handles(void) {
    CHECK_STATUS(inv_handle_close(test_job), INV_ERR_BAD_HANDLE);
}

// Becomes this program again, which finds the number of a handle as its argument.
static void executes(void) {
    inv_handle_t h;
    char number[16];
    CHECK_OK(inv_bootstrap(INV_BOOTSTRAP_KIND_PROCESS, &h));
    snprintf(number, sizeof(number), "%u", h);
    execl("/proc/self/exe", "registers", number, NULL);
    CHECK(!"executed");
}

static int executed(inv_handle_t h) {
    CHECK_STATUS(inv_handle_close(h), INV_ERR_BAD_HANDLE);
    return test_end();
}

static void without_privilege(void) {
    inv_handle_t h;
    CHECK(setuid(1000) == 0);
    CHECK_STATUS(inv_bootstrap(INV_BOOTSTRAP_KIND_JOB, &h), INV_ERR_NOT_PERMITTED);
    CHECK(h == INV_HANDLE_INVALID);
    CHECK_OK(inv_bootstrap(INV_BOOTSTRAP_KIND_PROCESS, &h));
    CHECK_OK(inv_bootstrap(INV_BOOTSTRAP_KIND_NAMESPACE, &h));
    CHECK((handle_rights(h) & (INV_RIGHT_READ | INV_RIGHT_WRITE)) == INV_RIGHT_READ);
}

static void bootstrap_gives_the_first_handles(void) {
    inv_handle_t h;
    uint32_t type, rights;
    uint64_t identity;
    CHECK_OK(inv_bootstrap(INV_BOOTSTRAP_KIND_NAMESPACE, &h));
    CHECK_OK(inv_handle_info(h, &type, &rights, &identity));
    CHECK(type == INV_OBJECT_DIRECTORY && (rights & INV_RIGHT_WRITE));
    CHECK_OK(inv_handle_close(h));
    CHECK_STATUS(inv_bootstrap(3, &h), INV_ERR_INVALID);
    in_a_child(child_has_no_handles);
    in_a_child(executes);
    in_a_child(without_privilege);
}

int main(int count, char **arguments) {
    if (count > 1)
        return executed((inv_handle_t)strtoul(arguments[1], NULL, 10));
    test_begin();
    unknown_numbers_are_the_personalitys();
    wide_registers_are_refused();
    values_are_zero_on_an_error();
    other_registers_are_kept();
    clocks_agree_with_linux();
    bootstrap_gives_the_first_handles();
    return test_end();
}
