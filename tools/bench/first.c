// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The first user program of a boot that is measured, the same file on every kernel and without a library: its first instruction reads the time stamp
// counter, which counts instructions in deterministic time. It prints
//
//     first_user_instruction CYCLE
//     | stage NAME CYCLE              each line of /proc/invar/boot, where the kernel has that file
//     end
//
// on its standard output and stops the machine.

enum {
    SYS_READ = 0,
    SYS_WRITE = 1,
    SYS_OPEN = 2,
    SYS_PAUSE = 34,
    SYS_MKDIR = 83,
    SYS_SYNC = 162,
    SYS_MOUNT = 165,
    SYS_REBOOT = 169
};
enum { STDOUT = 1, O_RDONLY = 0 };
#define REBOOT_MAGIC1  0xfee1deadL
#define REBOOT_MAGIC2  672274793L
#define REBOOT_OFF     0x4321fedcL
#define REBOOT_RESTART 0x01234567L

static long call(long number, long a, long b, long c, long d, long e) {
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}

static void print(const char *text, unsigned long length) {
    while (length > 0) {
        long n = call(SYS_WRITE, STDOUT, (long)text, (long)length, 0, 0);
        if (n <= 0)
            return; // there is nobody to tell
        text += n;
        length -= (unsigned long)n;
    }
}

static void print_number(const char *name, unsigned long name_length, unsigned long value) {
    char digits[24];
    unsigned at = sizeof(digits);

    digits[--at] = '\n';
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    digits[--at] = ' ';
    print(name, name_length);
    print(digits + at, sizeof(digits) - at);
}

// Each line with "| " before it.
static void print_lines(const char *text, unsigned long length) {
    unsigned long begin = 0;

    for (unsigned long i = 0; i < length; i++) {
        if (text[i] == '\n') {
            print("| ", 2);
            print(text + begin, i + 1 - begin);
            begin = i + 1;
        }
    }
}

static void stages_print(void) {
    static char text[8192];
    unsigned long length = 0;
    long fd, n;

    call(SYS_MKDIR, (long)"/proc", 0755, 0, 0, 0); // it may be there
    call(SYS_MOUNT, (long)"proc", (long)"/proc", (long)"proc", 0, 0);
    fd = call(SYS_OPEN, (long)"/proc/invar/boot", O_RDONLY, 0, 0, 0);
    if (fd < 0)
        return;
    while (length < sizeof(text) &&
           (n = call(SYS_READ, fd, (long)(text + length), (long)(sizeof(text) - length), 0, 0)) > 0)
        length += (unsigned long)n;
    print_lines(text, length);
}

__attribute__((noreturn, used)) void first(unsigned long cycle) {
    static const char name[] = "first_user_instruction";

    print_number(name, sizeof(name) - 1, cycle);
    stages_print();
    print("end\n", 4);
    call(SYS_SYNC, 0, 0, 0, 0, 0);
    call(SYS_REBOOT, REBOOT_MAGIC1, REBOOT_MAGIC2, REBOOT_OFF, 0, 0);
    call(SYS_REBOOT, REBOOT_MAGIC1, REBOOT_MAGIC2, REBOOT_RESTART, 0, 0); // a board that cannot be switched off
    for (;;)
        call(SYS_PAUSE, 0, 0, 0, 0, 0);
}

__asm__(".globl _start\n"
        "_start: rdtsc\n"
        "        shl $32, %rdx\n"
        "        or %rdx, %rax\n"
        "        mov %rax, %rdi\n"
        "        xor %ebp, %ebp\n"
        "        and $-16, %rsp\n"
        "        call first\n");
