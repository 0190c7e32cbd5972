// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Memory policies on a machine with one node: modes, flags, node masks and their bounds; what is kept for a thread, a child, a program and a mapping; moving of
// pages that have nowhere to go.
#include "testing.h"

#include <pthread.h>

enum { MPOL_DEFAULT, MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE, MPOL_LOCAL, MPOL_PREFERRED_MANY };
enum { MPOL_F_NUMA_BALANCING = 1 << 13, MPOL_F_RELATIVE_NODES = 1 << 14, MPOL_F_STATIC_NODES = 1 << 15 };
enum { MPOL_F_NODE = 1, MPOL_F_ADDR = 2, MPOL_F_MEMS_ALLOWED = 4 };
enum { MPOL_MF_STRICT = 1, MPOL_MF_MOVE = 2, MPOL_MF_MOVE_ALL = 4 };
#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node 450
#endif

static long set_mempolicy(int mode, const void *mask, unsigned long bits) {
    return syscall(SYS_set_mempolicy, mode, mask, bits);
}

static long get_mempolicy(int *mode, void *mask, unsigned long bits, void *address, unsigned long flags) {
    return syscall(SYS_get_mempolicy, mode, mask, bits, address, flags);
}

static long mbind(void *start, unsigned long length, int mode, const void *mask, unsigned long bits, unsigned flags) {
    return syscall(SYS_mbind, start, length, mode, mask, bits, flags);
}

static void told(const char *name, void *address) {
    int mode = -1;
    unsigned long mask[16];
    memset(mask, 0xee, sizeof(mask));
    long result = get_mempolicy(&mode, mask, 1024, address, address ? MPOL_F_ADDR : 0);
    if (result == -1) {
        say(name, "%s", error_name(errno));
    } else {
        say(name, "mode %#x nodes %#lx %#lx", (unsigned)mode, mask[0], mask[15]);
    }
}

static void policies(void) {
    static const struct {
        const char *name;
        int mode;
        unsigned long nodes;
    } list[] = {
        {"default", MPOL_DEFAULT, 0},
        {"default, node 0", MPOL_DEFAULT, 1},
        {"preferred, no node", MPOL_PREFERRED, 0},
        {"preferred, node 0", MPOL_PREFERRED, 1},
        {"preferred, node 1", MPOL_PREFERRED, 2},
        {"preferred, nodes 0 and 1", MPOL_PREFERRED, 3},
        {"preferred, static, no node", MPOL_PREFERRED | MPOL_F_STATIC_NODES, 0},
        {"bind, no node", MPOL_BIND, 0},
        {"bind, node 0", MPOL_BIND, 1},
        {"bind, node 5", MPOL_BIND, 32},
        {"bind, all nodes", MPOL_BIND, -1ul},
        {"bind, static", MPOL_BIND | MPOL_F_STATIC_NODES, 5},
        {"bind, static, node 2", MPOL_BIND | MPOL_F_STATIC_NODES, 4},
        {"bind, relative", MPOL_BIND | MPOL_F_RELATIVE_NODES, 4},
        {"bind, static and relative", MPOL_BIND | MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES, 1},
        {"bind, balancing", MPOL_BIND | MPOL_F_NUMA_BALANCING, 1},
        {"interleave, balancing", MPOL_INTERLEAVE | MPOL_F_NUMA_BALANCING, 1},
        {"interleave", MPOL_INTERLEAVE, 1},
        {"interleave, no node", MPOL_INTERLEAVE, 0},
        {"local", MPOL_LOCAL, 0},
        {"local, node 0", MPOL_LOCAL, 1},
        {"local, static", MPOL_LOCAL | MPOL_F_STATIC_NODES, 0},
        {"preferred many", MPOL_PREFERRED_MANY, 1},
        {"preferred many, node 1", MPOL_PREFERRED_MANY, 2},
        {"mode 6", 6, 1},
        {"mode -1", -1, 1},
        {"flag 12", MPOL_BIND | 1 << 12, 1},
    };
    for (size_t i = 0; i < COUNT(list); i++) {
        MUST(set_mempolicy(MPOL_DEFAULT, NULL, 0));
        say_call(list[i].name, set_mempolicy(list[i].mode, &list[i].nodes, 64));
        told("  is", NULL);
    }
    MUST(set_mempolicy(MPOL_DEFAULT, NULL, 0));
}

static void masks(void) {
    static unsigned long mask[PAGE / 8 + 1] = {1};
    say_call("64 bits", set_mempolicy(MPOL_BIND, mask, 64));
    say_call("no bits", set_mempolicy(MPOL_BIND, mask, 0));
    say_call("one bit", set_mempolicy(MPOL_BIND, mask, 1));
    say_call("two bits", set_mempolicy(MPOL_BIND, mask, 2));
    say_call("32769 bits", set_mempolicy(MPOL_BIND, mask, 32769));
    say_call("32770 bits", set_mempolicy(MPOL_BIND, mask, 32770));
    mask[16] = 1;
    say_call("node 1024 in 1024 bits", set_mempolicy(MPOL_BIND, mask, 1025));
    say_call("node 1024 in 1025 bits", set_mempolicy(MPOL_BIND, mask, 1026));
    mask[16] = 0;
    mask[15] = 1;
    say_call("node 960", set_mempolicy(MPOL_BIND, mask, 1025));
    say_call("no address", set_mempolicy(MPOL_BIND, NULL, 64));
    say_call("a bad address", set_mempolicy(MPOL_BIND, (void *)8, 64));
    int mode;
    say_call("get: no mask", get_mempolicy(&mode, NULL, 0, NULL, 0));
    say_call("get: nothing asked", get_mempolicy(NULL, NULL, 0, NULL, 0));
    say_call("get: no bits", get_mempolicy(&mode, mask, 0, NULL, 0));
    say_call("get: one bit", get_mempolicy(&mode, mask, 1, NULL, 0));
    say_call("get: 32769 bits", get_mempolicy(&mode, mask, 32769, NULL, 0));
    say_call("get: 32770 bits", get_mempolicy(&mode, mask, 32770, NULL, 0));
    say_call("get: a bad mask", get_mempolicy(&mode, (void *)8, 64, NULL, 0));
    say_call("get: a bad mode", get_mempolicy((int *)8, NULL, 0, NULL, 0));
    say_call("get: an address without the flag", get_mempolicy(&mode, NULL, 0, mask, 0));
    say_call("get: flag 8", get_mempolicy(&mode, NULL, 0, NULL, 8));
    say_call("get: MPOL_F_MEMS_ALLOWED", get_mempolicy(&mode, mask, 64, NULL, MPOL_F_MEMS_ALLOWED));
    say("allowed", "%d %#lx", mode, mask[0]);
    say_call("get: MPOL_F_MEMS_ALLOWED and MPOL_F_ADDR",
             get_mempolicy(&mode, mask, 64, NULL, MPOL_F_MEMS_ALLOWED | MPOL_F_ADDR));
    say_call("get: MPOL_F_NODE", get_mempolicy(&mode, NULL, 0, NULL, MPOL_F_NODE));
    mask[0] = 1;
    MUST(set_mempolicy(MPOL_INTERLEAVE, mask, 64));
    say_call("get: MPOL_F_NODE, interleaving", get_mempolicy(&mode, NULL, 0, NULL, MPOL_F_NODE));
    say("node", "%d", mode);
    mode = -1;
    say_call("get: the node of a page", get_mempolicy(&mode, NULL, 0, mask, MPOL_F_NODE | MPOL_F_ADDR));
    say("node", "%d", mode);
    say_call("get: of no page", get_mempolicy(&mode, NULL, 0, (void *)4096, MPOL_F_NODE | MPOL_F_ADDR));
    say_call("get: of no mapping", get_mempolicy(&mode, NULL, 0, (void *)4096, MPOL_F_ADDR));
}

static void *in_thread(void *arg) {
    told("a new thread", NULL);
    set_mempolicy(MPOL_LOCAL, NULL, 0);
    return arg;
}

static int child(void) {
    told("a child", NULL);
    return 0;
}

static void inheritance(void) {
    unsigned long one = 1;
    pthread_t t;
    MUST(set_mempolicy(MPOL_BIND, &one, 64));
    pthread_create(&t, NULL, in_thread, NULL);
    pthread_join(t, NULL);
    told("its maker", NULL);
    say_child("child", child);
    MUST(set_mempolicy(MPOL_DEFAULT, NULL, 0));
}

static void mappings(void) {
    unsigned long one = 1, none = 0, two = 2;
    char *area = MUST(mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    told("a mapping", area);
    say_call("mbind, bind", mbind(area + 4 * PAGE, 4 * PAGE, MPOL_BIND, &one, 64, 0));
    told("  is", area + 5 * PAGE);
    told("  below", area);
    told("  above", area + 8 * PAGE);
    say_call("mbind, a part anew",
             mbind(area + 5 * PAGE, PAGE, MPOL_INTERLEAVE, &one, 64, MPOL_MF_MOVE | MPOL_MF_STRICT));
    told("  is", area + 5 * PAGE);
    told("  beside", area + 6 * PAGE);
    say_call("mbind, preferred, no node", mbind(area + 12 * PAGE, 10, MPOL_PREFERRED, &none, 64, 0));
    told("  is", area + 12 * PAGE + 5);
    say_call("mbind, default", mbind(area, 16 * PAGE, MPOL_DEFAULT, NULL, 0, MPOL_MF_STRICT));
    told("  is", area + 5 * PAGE);
    say_call("mbind, node 1", mbind(area, PAGE, MPOL_BIND, &two, 64, 0));
    say_call("mbind, no node", mbind(area, PAGE, MPOL_BIND, &none, 64, 0));
    say_call("mbind, odd start", mbind(area + 1, PAGE, MPOL_BIND, &one, 64, 0));
    say_call("mbind, no length", mbind(area, 0, MPOL_BIND, &two, 64, 0));
    say_call("mbind, length -1", mbind(area + PAGE, -1ul, MPOL_BIND, &one, 64, 0));
    say_call("mbind, huge length", mbind(area + PAGE, -1ul << 13, MPOL_BIND, &one, 64, 0));
    say_call("mbind, flag 8", mbind(area, PAGE, MPOL_BIND, &one, 64, 8));
    say_call("mbind, mode 9", mbind(area, PAGE, 9, &one, 64, 0));
    say_call("mbind, MPOL_MF_MOVE_ALL", mbind(area, PAGE, MPOL_BIND, &one, 64, MPOL_MF_MOVE_ALL));
    MUST(munmap(area + 2 * PAGE, PAGE));
    say_call("mbind over a hole", mbind(area, 4 * PAGE, MPOL_INTERLEAVE, &one, 64, 0));
    told("  below it", area + PAGE);
    say_call("mbind of a hole", mbind(area + 2 * PAGE, PAGE, MPOL_BIND, &one, 64, 0));
    told("the policy of a hole", area + 2 * PAGE);
    say_call("mbind beyond user memory", mbind((void *)0x7ffffffff000, PAGE, MPOL_BIND, &one, 64, 0));
    MUST(mbind(area + 8 * PAGE, PAGE, MPOL_BIND, &one, 64, 0));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        told("a child's mapping", area + 8 * PAGE);
        _exit(0);
    }
    reap(pid);
    MUST(munmap(area + 8 * PAGE, PAGE));
    MUST(mmap(area + 8 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    told("mapped anew", area + 8 * PAGE);
    say_call("home node: no policy", syscall(SYS_set_mempolicy_home_node, area + 9 * PAGE, PAGE, 0, 0));
    MUST(mbind(area + 9 * PAGE, PAGE, MPOL_BIND, &one, 64, 0));
    say_call("home node: bind", syscall(SYS_set_mempolicy_home_node, area + 9 * PAGE, PAGE, 0, 0));
    say_call("home node: node 1", syscall(SYS_set_mempolicy_home_node, area + 9 * PAGE, PAGE, 1, 0));
    say_call("home node: a flag", syscall(SYS_set_mempolicy_home_node, area + 9 * PAGE, PAGE, 0, 1));
    say_call("home node: odd start", syscall(SYS_set_mempolicy_home_node, area + 1, PAGE, 0, 0));
    say_call("home node: no length", syscall(SYS_set_mempolicy_home_node, area, 0, 0, 0));
    MUST(mbind(area + 9 * PAGE, PAGE, MPOL_INTERLEAVE, &one, 64, 0));
    say_call("home node: interleave", syscall(SYS_set_mempolicy_home_node, area + 9 * PAGE, PAGE, 0, 0));
}

static void moves(const char *who, int pid) {
    char *area = MUST(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    area[0] = 1;
    void *pages[3] = {area, area + PAGE, (void *)4096};
    int nodes[3] = {0, 0, 0}, status[3] = {77, 77, 77};
    unsigned long one = 1, two = 2, none = 0;
    char name[80];
#define NAME(text) (snprintf(name, sizeof(name), "%s: %s", who, text), name)
    say_call(NAME("move_pages, asked"), syscall(SYS_move_pages, 0, 3, pages, NULL, status, 0));
    say(NAME("status"), "%d %d %d", status[0], status[1], status[2]);
    say_call(NAME("move_pages, moved"), syscall(SYS_move_pages, 0, 3, pages, nodes, status, MPOL_MF_MOVE));
    say(NAME("status"), "%d %d %d", status[0], status[1], status[2]);
    nodes[0] = 1;
    say_call(NAME("move_pages, node 1"), syscall(SYS_move_pages, 0, 1, pages, nodes, status, MPOL_MF_MOVE));
    nodes[0] = -1;
    say_call(NAME("move_pages, node -1"), syscall(SYS_move_pages, 0, 1, pages, nodes, status, MPOL_MF_MOVE));
    say_call(NAME("move_pages, flag 1"), syscall(SYS_move_pages, 0, 1, pages, NULL, status, MPOL_MF_STRICT));
    nodes[0] = 0;
    say_call(NAME("move_pages, all"), syscall(SYS_move_pages, 0, 1, pages, nodes, status, MPOL_MF_MOVE_ALL));
    say_call(NAME("move_pages, none"), syscall(SYS_move_pages, 0, 0, NULL, NULL, NULL, 0));
    say_call(NAME("move_pages, bad pages"), syscall(SYS_move_pages, 0, 1, (void *)8, NULL, status, 0));
    say_call(NAME("move_pages, bad status"), syscall(SYS_move_pages, 0, 1, pages, NULL, (void *)8, 0));
    say_call(NAME("move_pages, nobody"), syscall(SYS_move_pages, 999999, 1, pages, NULL, status, 0));
    say_call(NAME("move_pages, another's"), syscall(SYS_move_pages, pid, 0, pages, NULL, status, 0));
    say_call(NAME("migrate_pages"), syscall(SYS_migrate_pages, 0, 64, &one, &one));
    say_call(NAME("migrate_pages to node 1"), syscall(SYS_migrate_pages, 0, 64, &one, &two));
    say_call(NAME("migrate_pages from node 1"), syscall(SYS_migrate_pages, 0, 64, &two, &one));
    say_call(NAME("migrate_pages to none"), syscall(SYS_migrate_pages, 0, 64, &one, &none));
    say_call(NAME("migrate_pages, bad masks"), syscall(SYS_migrate_pages, 0, 64, (void *)8, &one));
    say_call(NAME("migrate_pages, nobody"), syscall(SYS_migrate_pages, 999999, 64, &one, &one));
    say_call(NAME("migrate_pages, another's"), syscall(SYS_migrate_pages, pid, 64, &one, &one));
    say_call(NAME("mbind, MPOL_MF_MOVE_ALL"), mbind(area, PAGE, MPOL_BIND, &one, 64, MPOL_MF_MOVE_ALL));
}

static int as_user(void) {
    int root = getppid();
    MUST(setgid(1000));
    MUST(setuid(1000));
    moves("user", root);
    return 0;
}

int main(void) {
    policies();
    masks();
    inheritance();
    mappings();
    moves("root", 1);
    say_child("as a user", as_user);
    return 0;
}
