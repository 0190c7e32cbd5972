// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The instructions that touch user memory, each with an entry of the exception table. Called by usercopy.c, which has
// checked the range. SMAP is open between STAC and CLAC; both are patched out on processors without it (features.c).
//
// The entries of the exception table must stand in the order of their instructions: the table is searched by halving.

    .macro open_user
9998:
    stac
    .pushsection .smap_sites, "a"
    .quad 9998b
    .popsection
    .endm

    .macro close_user
9999:
    clac
    .pushsection .smap_sites, "a"
    .quad 9999b
    .popsection
    .endm

    .macro on_fault at, to
    .pushsection .exception_table, "a"
    .quad \at, \to
    .popsection
    .endm

    .text

// size_t user_copy(void *to /*rdi*/, const void *from /*rsi*/, size_t n /*rdx*/): bytes not copied.
// Words first, four at a time when few, by REP MOVSQ when many; the rest by bytes. A fault in a word goes on by bytes, so
// that the copy stops exactly at the first bad byte.
    .balign 32
    .globl user_copy
    .type user_copy, @function
user_copy:
    open_user
    movq %rdx, %rcx
    andl $7, %edx                               // bytes behind the last whole word
    shrq $3, %rcx                               // words
    jz .Lbytes
    cmpq $16, %rcx
    jae .Lmany
    testb $1, %cl
    jz .Lpairs
10: movq (%rsi), %r8
11: movq %r8, (%rdi)
    addq $8, %rsi
    addq $8, %rdi
    decq %rcx
    jz .Lbytes
.Lpairs:
12: movq (%rsi), %r8
13: movq 8(%rsi), %r9
14: movq %r8, (%rdi)
15: movq %r9, 8(%rdi)
    addq $16, %rsi
    addq $16, %rdi
    subq $2, %rcx
    jnz .Lpairs
    jmp .Lbytes
.Lmany:
16: rep movsq
.Lbytes:
    movl %edx, %ecx
.Lremaining_bytes:
    testq %rcx, %rcx
    jz .Ldone
17: movb (%rsi), %al
18: movb %al, (%rdi)
    incq %rsi
    incq %rdi
    decq %rcx
    jnz 17b
.Ldone:
    close_user
    movq %rcx, %rax
    ret
.Lword_fault:
    leaq (%rdx, %rcx, 8), %rcx
    jmp .Lremaining_bytes
    .size user_copy, . - user_copy
    on_fault 10b, .Lword_fault
    on_fault 11b, .Lword_fault
    on_fault 12b, .Lword_fault
    on_fault 13b, .Lword_fault
    on_fault 14b, .Lword_fault
    on_fault 15b, .Lword_fault
    on_fault 16b, .Lword_fault
    on_fault 17b, .Ldone
    on_fault 18b, .Ldone

// size_t user_zero(void *to /*rdi*/, size_t n /*rsi*/): bytes not zeroed.
    .balign 16
    .globl user_zero
    .type user_zero, @function
user_zero:
    open_user
    xorl %eax, %eax
    movq %rsi, %rcx
    andl $7, %esi
    shrq $3, %rcx
20: rep stosq
    movl %esi, %ecx
.Lzero_bytes:
21: rep stosb
.Lzero_done:
    close_user
    movq %rcx, %rax
    ret
.Lzero_fault:
    leaq (%rsi, %rcx, 8), %rcx
    jmp .Lzero_bytes
    .size user_zero, . - user_zero
    on_fault 20b, .Lzero_fault
    on_fault 21b, .Lzero_done

// long user_string(char *to /*rdi*/, const char *from /*rsi*/, size_t max /*rdx*/): the length; -1 after a fault; max when no NUL
// came. Words as long as they hold no NUL and whole words remain, then bytes.
    .balign 16
    .globl user_string
    .type user_string, @function
user_string:
    open_user
    xorl %eax, %eax
    movabsq $0x0101010101010101, %r8
    movabsq $0x8080808080808080, %r9
.Lstring_word:
    leaq 8(%rax), %rcx
    cmpq %rdx, %rcx
    ja .Lstring_byte
30: movq (%rsi, %rax), %r10
    movq %r10, (%rdi, %rax)
    movq %r10, %r11
    subq %r8, %r11
    notq %r10
    andq %r10, %r11
    andq %r9, %r11
    jnz .Lstring_end
    movq %rcx, %rax
    jmp .Lstring_word
.Lstring_end:
    bsfq %r11, %r11
    shrl $3, %r11d
    addq %r11, %rax
.Lstring_done:
    close_user
    ret
.Lstring_byte:
    cmpq %rdx, %rax
    jae .Lstring_done
31: movb (%rsi, %rax), %cl
    movb %cl, (%rdi, %rax)
    testb %cl, %cl
    jz .Lstring_done
    incq %rax
    jmp .Lstring_byte
.Lstring_fault:
    movq $-1, %rax
    jmp .Lstring_done
    .size user_string, . - user_string
    on_fault 30b, .Lstring_byte
    on_fault 31b, .Lstring_fault

// int user_loadN(const void *p /*rdi*/, void *out /*rsi*/), int user_store32(void *p, uint32_t value): 0, or -1 after a fault.
    .balign 16
    .globl user_load32
    .type user_load32, @function
user_load32:
    open_user
40: movl (%rdi), %ecx
    close_user
    movl %ecx, (%rsi)
    xorl %eax, %eax
    ret
    .size user_load32, . - user_load32
    on_fault 40b, .Lfault

    .balign 16
    .globl user_load64
    .type user_load64, @function
user_load64:
    open_user
41: movq (%rdi), %rcx
    close_user
    movq %rcx, (%rsi)
    xorl %eax, %eax
    ret
    .size user_load64, . - user_load64
    on_fault 41b, .Lfault

    .balign 16
    .globl user_store32
    .type user_store32, @function
user_store32:
    open_user
42: movl %esi, (%rdi)
    close_user
    xorl %eax, %eax
    ret
    .size user_store32, . - user_store32
    on_fault 42b, .Lfault

// int user_cmpxchg32(void *p /*rdi*/, uint32_t *expected /*rsi*/, uint32_t desired /*edx*/)
    .balign 16
    .globl user_cmpxchg32
    .type user_cmpxchg32, @function
user_cmpxchg32:
    movl (%rsi), %eax
    open_user
43: lock cmpxchgl %edx, (%rdi)
    close_user
    movl %eax, (%rsi)
    xorl %eax, %eax
    ret
    .size user_cmpxchg32, . - user_cmpxchg32
    on_fault 43b, .Lfault

.Lfault:
    close_user
    movl $-1, %eax
    ret

    .section .note.GNU-stack, "", @progbits
