// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the Linux ABI of x86-64 says about registers: signal frames and rt_sigreturn, exceptions as signals, the registers of a cloned thread, arch_prctl.
// Context: the thread concerned.
//
// A signal frame, from the handler's stack pointer upwards (Linux: arch/x86/include/asm/sigframe.h describes the same words):
//
//     return address (SA_RESTORER) | ucontext: flags, link, stack, registers, mask | siginfo | ... 64-byte aligned: floating-point state, magic
//
// The stack pointer at the handler's entry is 8 below a multiple of 16, as after a call. The floating-point state is the processor's own save format with
// Linux's description in the bytes that the processor leaves to software (464 to 511), so that programs find the extended part.
#include "core_file.h"

#include <arch/context.h>
#include <arch/usercopy.h>
#include <kernel/assert.h>
#include <kernel/boot.h>
#include <kernel/slab.h>

#define RED_ZONE          128
#define UC_FP_XSTATE      1u
#define UC_SIGCONTEXT_SS  2u
#define UC_STRICT_SS      4u
#define FP_MAGIC1         0x46505853u
#define FP_MAGIC2         0x46505845u
#define FP_LEGACY_SIZE    512
#define FP_SOFTWARE_BYTES 464
#define FP_HEADER_SIZE    64
#define FLAG_TF           0x100u
#define FLAG_DF           0x400u
#define FLAG_RF           0x10000u
#define FLAGS_RESTORED    0x50dd5u // what rt_sigreturn takes from the frame: CF PF AF ZF SF TF DF OF RF AC
#define SS_ONSTACK        1u
#define SS_DISABLE        2u
#define SS_AUTODISARM     (1u << 31)

struct sigcontext {
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip, flags;
    uint16_t cs, gs, fs, ss;
    uint64_t error, trap, old_mask, address, fp_state, reserved[8];
};
struct signal_frame {
    uint64_t return_address;
    uint64_t uc_flags, uc_link;
    struct {
        uint64_t sp;
        uint32_t flags, pad;
        uint64_t size;
    } stack;
    struct sigcontext context;
    linux_sigset_t mask;
    struct linux_siginfo info;
};
_Static_assert(sizeof(struct sigcontext) == 256, "struct sigcontext is ABI");
_Static_assert(offsetof(struct signal_frame, info) == 312, "struct rt_sigframe is ABI");

struct fp_software { // bytes 464 to 511 of the state
    uint32_t magic1, extended_size;
    uint64_t features;
    uint32_t state_size, pad[7];
};
_Static_assert(sizeof(struct fp_software) == 48, "struct _fpx_sw_bytes is ABI");

static struct slab_cache fp_cache; // save areas on their way from user memory
/* immutable after boot: */
static uint32_t fp_size;       // of the processor's save area
static uint64_t fp_components; // what it holds; 0: the legacy area alone

static inv_status_t arch_init(void) {
    fp_size = (uint32_t)arch_fpu_size();
    slab_cache_init(&fp_cache, "linux_fp", fp_size, 64);
    if (fp_size > FP_LEGACY_SIZE) {
        uint32_t low, high;
        __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
        fp_components = (uint64_t)high << 32 | low;
    }
    return INV_OK;
}
BOOT_CALL("linux signal frames", BOOT_STAGE_EXECUTIVE, arch_init);

// --- floating-point state ---

static bool fp_extended(void) {
    return fp_components != 0;
}

static uint64_t fp_frame_size(void) {
    return fp_size + (fp_extended() ? sizeof(uint32_t) : 0);
}

// The registers go through the thread's own save area: whatever switch comes in between leaves it as it is now. The processor never reads or writes its
// software bytes.
static bool fp_store(uint64_t user) {
    uint8_t *area = current_thread()->arch.fpu;

    preempt_disable();
    arch_fpu_save_current(area);
    preempt_enable();
    if (fp_extended()) {
        struct fp_software sw = {.magic1 = FP_MAGIC1,
                                 .extended_size = (uint32_t)fp_frame_size(),
                                 .features = fp_components,
                                 .state_size = fp_size};
        memcpy(area + FP_SOFTWARE_BYTES, &sw, sizeof(sw));
    }
    if (arch_copy_to_user((void user_ptr *)user, area, fp_size) != INV_OK)
        return false;
    return !fp_extended() || arch_user_store32((uint32_t user_ptr *)(user + fp_size), FP_MAGIC2) == INV_OK;
}

// True if the user's area describes itself as an extended one of our size.
static bool fp_is_extended(uint64_t user, const uint8_t *legacy) {
    struct fp_software sw;
    uint32_t magic2;

    memcpy(&sw, legacy + FP_SOFTWARE_BYTES, sizeof(sw));
    return fp_extended() && sw.magic1 == FP_MAGIC1 && sw.state_size == fp_size && sw.extended_size == fp_frame_size() &&
           arch_user_load32((const uint32_t user_ptr *)(user + fp_size), &magic2) == INV_OK && magic2 == FP_MAGIC2;
}

static bool fp_read(uint8_t *area, uint64_t user) {
    if (user == 0) {
        arch_fpu_init(area);
        return true;
    }
    if (arch_copy_from_user(area, (const void user_ptr *)user, FP_LEGACY_SIZE) != INV_OK)
        return false;
    if (fp_is_extended(user, area))
        return arch_copy_from_user(area + FP_LEGACY_SIZE, (const void user_ptr *)(user + FP_LEGACY_SIZE),
                                   fp_size - FP_LEGACY_SIZE) == INV_OK;
    if (fp_extended()) {
        uint64_t components = 3; // x87 and SSE are what the legacy area holds
        memset(area + FP_LEGACY_SIZE, 0, fp_size - FP_LEGACY_SIZE);
        memcpy(area + FP_LEGACY_SIZE, &components, sizeof(components));
    }
    return true;
}

static bool fp_load(uint64_t user) {
    uint8_t *area = slab_alloc(&fp_cache);

    if (area == NULL)
        return false;
    bool good = fp_read(area, user) && arch_fpu_load_current(area) == INV_OK;
    slab_free(&fp_cache, area);
    return good;
}

// --- signal frames ---

uint64_t linux_arch_frame_minimum(void) {
    // The frame, the state with room for its alignment, the red zone that is skipped on an ordinary stack.
    return ALIGN_UP(sizeof(struct signal_frame) + fp_frame_size() + 64 + 16, 16);
}

static bool on_altstack(const struct linux_altstack *a, uint64_t sp) {
    return !(a->flags & SS_AUTODISARM) && sp > a->sp && sp - a->sp <= a->size;
}

static void context_fill(struct sigcontext *c, const struct arch_frame *f, const struct linux_thread *t,
                         linux_sigset_t mask, uint64_t fp) {
    *c = (struct sigcontext){
        .r8 = f->r8,
        .r9 = f->r9,
        .r10 = f->r10,
        .r11 = f->r11,
        .r12 = f->r12,
        .r13 = f->r13,
        .r14 = f->r14,
        .r15 = f->r15,
        .di = f->rdi,
        .si = f->rsi,
        .bp = f->rbp,
        .bx = f->rbx,
        .dx = f->rdx,
        .ax = f->rax,
        .cx = f->rcx,
        .sp = f->rsp,
        .ip = f->rip,
        .flags = f->rflags,
        .cs = (uint16_t)f->cs,
        .ss = (uint16_t)f->ss,
        .error = t->trap.error,
        .trap = t->trap.vector,
        .address = t->trap.address,
        .old_mask = mask,
        .fp_state = fp,
    };
}

static void handler_registers(struct arch_frame *f, const struct linux_sigaction *a, int signal, uint64_t frame) {
    f->rdi = (uint64_t)signal;
    f->rsi = frame + offsetof(struct signal_frame, info);
    f->rdx = frame + offsetof(struct signal_frame, uc_flags);
    f->rax = 0;
    f->rip = a->handler;
    f->rsp = frame;
    f->rflags &= ~(uint64_t)(FLAG_DF | FLAG_RF | FLAG_TF);
    f->vector = 0; // not a call any more: nothing to restart
    arch_frame_sanitize(f);
}

bool linux_arch_signal_frame(struct arch_frame *f, const struct linux_sigaction *a, const struct linux_siginfo *info,
                             linux_sigset_t mask) {
    struct linux_thread *t = linux_current();
    struct linux_altstack *alt = &t->altstack;
    struct signal_frame frame; // every word is written below
    bool entered = (a->flags & LINUX_SA_ONSTACK) && alt->size != 0 && !on_altstack(alt, f->rsp);
    bool inside = on_altstack(alt, f->rsp) || entered;
    uint64_t sp = entered ? alt->sp + alt->size : f->rsp - RED_ZONE, fp, at;

    if (!(a->flags & LINUX_SA_RESTORER))
        return false; // x86-64 has no trampoline of the kernel's
    fp = ALIGN_DOWN(sp - fp_frame_size(), 64);
    at = ALIGN_DOWN(fp - sizeof(frame), 16) - 8;
    if (inside && !(at > alt->sp && at - alt->sp <= alt->size) && (alt->flags & SS_AUTODISARM) == 0)
        return false; // it would run off the alternate stack
    context_fill(&frame.context, f, t, mask, fp);
    frame.return_address = a->restorer;
    frame.uc_flags = UC_SIGCONTEXT_SS | UC_STRICT_SS | (fp_extended() ? UC_FP_XSTATE : 0);
    frame.uc_link = 0;
    frame.stack.pad = 0;
    frame.stack.sp = alt->sp;
    frame.stack.flags = alt->size == 0 ? SS_DISABLE
                                       : (alt->flags & SS_AUTODISARM) | (on_altstack(alt, f->rsp) ? SS_ONSTACK : 0);
    frame.stack.size = alt->size;
    frame.mask = mask;
    frame.info = *info;
    if (!fp_store(fp) || arch_copy_to_user((void user_ptr *)at, &frame, sizeof(frame)) != INV_OK)
        return false;
    if (alt->flags & SS_AUTODISARM)
        *alt = (struct linux_altstack){.flags = SS_DISABLE};
    handler_registers(f, a, info->signo, at);
    return true;
}

static void context_restore(struct arch_frame *f, const struct sigcontext *c) {
    f->r8 = c->r8, f->r9 = c->r9, f->r10 = c->r10, f->r11 = c->r11;
    f->r12 = c->r12, f->r13 = c->r13, f->r14 = c->r14, f->r15 = c->r15;
    f->rdi = c->di, f->rsi = c->si, f->rbp = c->bp, f->rbx = c->bx;
    f->rdx = c->dx, f->rax = c->ax, f->rcx = c->cx, f->rsp = c->sp, f->rip = c->ip;
    f->rflags = (f->rflags & ~(uint64_t)FLAGS_RESTORED) | (c->flags & FLAGS_RESTORED);
    f->vector = 0;
    arch_frame_sanitize(f);
}

int64_t linux_rt_sigreturn(struct arch_frame *f) {
    struct signal_frame frame;

    // The restorer's call is made after the handler's return has popped the return address.
    if (arch_copy_from_user(&frame, (const void user_ptr *)(f->rsp - 8), offsetof(struct signal_frame, info)) !=
            INV_OK ||
        !fp_load(frame.context.fp_state)) {
        signal_force_segv();
        linux_arch_call_resolved(f);
        return 0;
    }
    signal_set_blocked(frame.mask);
    context_restore(f, &frame.context);
    struct linux_altstack s = {.sp = frame.stack.sp, .size = frame.stack.size, .flags = frame.stack.flags};
    (void)linux_altstack_set(&s, f->rsp); // as Linux: a bad one is ignored
    return (int64_t)f->rax;
}

bool linux_arch_call_result(const struct arch_frame *f, int64_t *out_result) {
    *out_result = (int64_t)f->rax;
    return f->vector == ARCH_VECTOR_SYSCALL;
}

void linux_arch_call_resolved(struct arch_frame *f) {
    f->vector = 0;
}

// --- exceptions ---

// The cause of a floating-point exception: x87 status against control, or MXCSR, whose mask bits stand 7 above.
static int float_code(unsigned vector) {
    uint32_t mxcsr, raised;

    if (vector == 16) {
        uint16_t control, status;
        __asm__ volatile("fnstcw %0" : "=m"(control));
        __asm__ volatile("fnstsw %0" : "=m"(status));
        raised = status & ~control;
    } else {
        __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
        raised = mxcsr & ~(mxcsr >> 7);
    }
    return raised & 1      ? 7
           : raised & 4    ? 3
           : raised & 8    ? 4
           : raised & 0x12 ? 5
           : raised & 0x20 ? 6
                           : 0; // INV, DIV, OVF, UND, RES
}

static void exception_describe(const struct arch_frame *f, const struct exception *e, struct linux_siginfo *i) {
    uint64_t pc = arch_frame_pc(f);

    switch (e->kind) {
    case EXCEPTION_ILLEGAL_INSTRUCTION:
        *i = (struct linux_siginfo){.signo = LINUX_SIGILL, .code = 2, .fault.address = pc};
        break;
    case EXCEPTION_DIVIDE: *i = (struct linux_siginfo){.signo = LINUX_SIGFPE, .code = 1, .fault.address = pc}; break;
    case EXCEPTION_FLOAT:
        *i = (struct linux_siginfo){.signo = LINUX_SIGFPE, .code = float_code(e->arch_vector), .fault.address = pc};
        break;
    case EXCEPTION_BREAKPOINT: *i = (struct linux_siginfo){.signo = LINUX_SIGTRAP, .code = LINUX_SI_KERNEL}; break;
    case EXCEPTION_SINGLE_STEP:
        *i = (struct linux_siginfo){.signo = LINUX_SIGTRAP, .code = 2, .fault.address = pc};
        break;
    case EXCEPTION_ALIGNMENT: *i = (struct linux_siginfo){.signo = LINUX_SIGBUS, .code = 1}; break;
    case EXCEPTION_PAGE:
        *i = (struct linux_siginfo){.signo = LINUX_SIGSEGV, .code = e->protection ? 2 : 1, .fault.address = e->address};
        break;
    case EXCEPTION_BUS:
        *i = (struct linux_siginfo){.signo = LINUX_SIGBUS, .code = 2, .fault.address = e->address};
        break;
    case EXCEPTION_PROTECTION:
    case EXCEPTION_OVERFLOW:
    default:
        *i = (struct linux_siginfo){.signo = e->arch_vector == 11 || e->arch_vector == 12 ? LINUX_SIGBUS
                                                                                          : LINUX_SIGSEGV,
                                    .code = LINUX_SI_KERNEL};
        break;
    }
}

void linux_arch_exception(struct arch_frame *f, const struct exception *e) {
    struct linux_thread *t = linux_current();
    struct linux_siginfo info;

    exception_describe(f, e, &info);
    t->trap.vector = f->vector;
    t->trap.error = f->error;
    if (e->kind == EXCEPTION_PAGE || e->kind == EXCEPTION_BUS)
        t->trap.address = e->address;
    signal_force(&info);
}

// --- core files ---

// struct user_regs_struct. orig_ax is the number of a call, or -1.
void linux_arch_core_registers(struct thread *t, uint64_t out[CORE_REGISTERS]) {
    const struct arch_frame *f = arch_thread_frame(&t->arch);
    uint64_t original = f->vector == ARCH_VECTOR_SYSCALL ? arch_syscall_number(f) : UINT64_MAX;
    const uint64_t all[CORE_REGISTERS] = {f->r15,    f->r14, f->r13, f->r12,          f->rbp,         f->rbx,
                                          f->r11,    f->r10, f->r9,  f->r8,           f->rax,         f->rcx,
                                          f->rdx,    f->rsi, f->rdi, original,        f->rip,         f->cs,
                                          f->rflags, f->rsp, f->ss,  t->arch.fs_base, t->arch.gs_base};

    memcpy(out, all, sizeof(all));
}

const uint8_t *linux_arch_core_float(struct thread *t, size_t *out_legacy, size_t *out_size) {
    uint8_t *area = t->arch.fpu;

    if (t == current_thread()) {
        preempt_disable();
        arch_fpu_save_current(area);
        preempt_enable();
    }
    if (fp_extended())
        memcpy(area + FP_SOFTWARE_BYTES, &fp_components, sizeof(fp_components)); // what the area holds, for its readers
    *out_legacy = FP_LEGACY_SIZE;
    *out_size = fp_extended() ? fp_size : 0;
    return area;
}

// --- clone, exec ---

void linux_arch_clone_frame(struct arch_frame *f, uint64_t stack) {
    f->rax = 0;
    f->vector = 0;
    if (stack != 0)
        f->rsp = stack;
}

void linux_arch_clone_thread(struct thread *child, bool new_tls, uint64_t tls) {
    struct thread *me = current_thread();

    if (child->arch.fpu != NULL)
        arch_fpu_save_current(child->arch.fpu);
    child->arch.fs_base = new_tls ? tls : me->arch.fs_base;
    child->arch.gs_base = me->arch.gs_base;
}

static uint64_t hwcap; // read once: under a hypervisor each cpuid is an exit

static inv_status_t hwcap_init(void) {
    uint32_t a = 1, b, c, d;

    __asm__("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
    hwcap = d;
    return INV_OK;
}
BOOT_CALL("linux processor features", BOOT_STAGE_EXECUTIVE, hwcap_init);

void linux_arch_exec_reset(void) {
    void *area = slab_alloc(&fp_cache);

    if (area != NULL) {
        arch_fpu_init(area);
        (void)!arch_fpu_load_current(area);
        slab_free(&fp_cache, area);
    }
    arch_set_fs_base(0);
    arch_set_gs_base(0);
}

uint64_t linux_arch_hwcap(void) {
    return hwcap;
}

#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004

int64_t linux_arch_prctl(struct arch_frame *f) {
    uint64_t value = LINUX_ARG(f, 1);
    const struct arch_thread *t = &current_thread()->arch;

    switch ((int)LINUX_ARG(f, 0)) {
    case ARCH_SET_FS:
    case ARCH_SET_GS:
        if (value >= ARCH_USER_END)
            return -LINUX_EPERM;
        if ((int)LINUX_ARG(f, 0) == ARCH_SET_FS)
            arch_set_fs_base(value);
        else
            arch_set_gs_base(value);
        return 0;
    case ARCH_GET_FS:
    case ARCH_GET_GS:
        value = (int)LINUX_ARG(f, 0) == ARCH_GET_FS ? t->fs_base : t->gs_base;
        return arch_copy_to_user((void user_ptr *)LINUX_ARG(f, 1), &value, sizeof(value)) == INV_OK ? 0 : -LINUX_EFAULT;
    default: return -LINUX_EINVAL;
    }
}

// --- /proc/cpuinfo ---

struct cpuid_words {
    uint32_t a, b, c, d;
};

static struct cpuid_words cpuid_read(uint32_t leaf) {
    struct cpuid_words w = {.a = leaf, .c = 0};

    __asm__("cpuid" : "+a"(w.a), "=b"(w.b), "+c"(w.c), "=d"(w.d));
    return w;
}

void linux_arch_cpu_names(char vendor[16], char model[64], unsigned *family, unsigned *number, unsigned *stepping) {
    struct cpuid_words w = cpuid_read(0);
    uint32_t signature = cpuid_read(1).a;

    memset(vendor, 0, 16);
    memcpy(vendor, &w.b, 4);
    memcpy(vendor + 4, &w.d, 4);
    memcpy(vendor + 8, &w.c, 4);
    memset(model, 0, 64);
    if (cpuid_read(0x80000000u).a >= 0x80000004u) {
        for (unsigned i = 0; i < 3; i++) {
            w = cpuid_read(0x80000002u + i);
            memcpy(model + 16 * i, &w, sizeof(w));
        }
    }
    *family = (signature >> 8 & 15) + ((signature >> 8 & 15) == 15 ? signature >> 20 & 255 : 0);
    *number = (signature >> 4 & 15) | (signature >> 12 & 0xf0);
    *stepping = signature & 15;
}

void linux_arch_cpu_flags(void *arg, void (*emit)(void *arg, const char *word)) {
    static const struct {
        uint8_t bit, word; // word 0: leaf 1 edx, 1: leaf 1 ecx
        const char *name;
    } flags[] = {
        {0, 0, "fpu"},     {4, 0, "tsc"},         {5, 0, "msr"},      {6, 0, "pae"},       {8, 0, "cx8"},
        {9, 0, "apic"},    {15, 0, "cmov"},       {19, 0, "clflush"}, {23, 0, "mmx"},      {24, 0, "fxsr"},
        {25, 0, "sse"},    {26, 0, "sse2"},       {0, 1, "pni"},      {1, 1, "pclmulqdq"}, {9, 1, "ssse3"},
        {12, 1, "fma"},    {13, 1, "cx16"},       {19, 1, "sse4_1"},  {20, 1, "sse4_2"},   {22, 1, "movbe"},
        {23, 1, "popcnt"}, {25, 1, "aes"},        {26, 1, "xsave"},   {28, 1, "avx"},      {29, 1, "f16c"},
        {30, 1, "rdrand"}, {31, 1, "hypervisor"},
    };
    struct cpuid_words w = cpuid_read(1);

    for (unsigned i = 0; i < ARRAY_SIZE(flags); i++)
        if ((flags[i].word == 0 ? w.d : w.c) >> flags[i].bit & 1)
            emit(arg, flags[i].name);
    emit(arg, "lm");
}
