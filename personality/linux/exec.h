// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The parts of execve: strings (exec_strings.c), the new image (exec_image.c), the call and its point of no return (exec.c).
#ifndef LINUX_EXEC_H
#define LINUX_EXEC_H

#include "elf.h"
#include "process.h"

#define EXEC_PREFIX_MAX  16
#define EXEC_SCRIPTS_MAX 5
#define EXEC_HEAD_SIZE   256

// argv and envp, copied into the kernel: first all argv strings, then all envp strings, each terminated. Scripts put a prefix before them.
struct exec_strings {
    char *text;
    size_t used, size, limit;      // bytes; limit includes the pointers to come
    struct job *job;               // charged with size
    unsigned argc, envc;           // in text
    size_t argv_bytes;             // of text
    char *prefix[EXEC_PREFIX_MAX]; // kmalloc strings, in the order of argv
    unsigned prefix_count;
    bool skip_first; // a script's argv[0] is left out
};
void exec_strings_init(struct exec_strings *s, struct job *job, uint64_t stack_limit);
void exec_strings_free(struct exec_strings *s);
int64_t exec_strings_from_user(struct exec_strings *s, uint64_t argv, uint64_t envp); // E2BIG, EFAULT, ENOMEM
int64_t exec_strings_from_kernel(struct exec_strings *s, const char *const *argv, const char *const *envp);
// #! line: argv becomes interpreter, argument (or NULL), script, argv[1]...
int64_t exec_strings_script(struct exec_strings *s, const char *interpreter, const char *argument, const char *script);

// Everything that the new program needs, made before anything of the old one is touched.
struct exec_image {
    struct linux_process *process; // limits and personality are read
    const struct vfs_caller *caller;
    struct exec_strings *strings;
    const char *name; // as given to execve: AT_EXECFN and comm
    bool unsafe;      // somebody outside the process could move its root or working directory: no identity is gained
    /* out: */
    struct file *file;   // counted: the program
    struct token *token; // counted: new credentials
    bool secure, readable;
    uint32_t personality;  // flags that the program starts with
    struct aspace *aspace; // counted
    vaddr_t entry, sp;
};
int64_t exec_image_make(struct exec_image *x, int dirfd, const char *path, unsigned walk);
void exec_image_free(struct exec_image *x);
// The auxiliary vector of a program, as it stands on its stack: at most max pairs, the last of type 0 if all is there. The number of pairs.
size_t linux_auxv_read(struct aspace *as, uint64_t *pairs, size_t max);
// capabilities.c: who the program runs as.
struct exec_identity {
    struct token *token;     // counted
    bool secure;             // AT_SECURE
    bool clears_personality; // flags that weaken a program's protection go
};
int64_t linux_exec_token(struct file *file, struct token *old, bool unsafe, struct job *job, struct exec_identity *out);

#endif
