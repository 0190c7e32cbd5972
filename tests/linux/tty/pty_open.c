// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Pseudo-terminals come and go: /dev/ptmx, numbers and names, the lock, owner and mode, the peer by descriptor, what each side sees when the other closes.
#include "pty_pair.h"
#include <dirent.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

static void names(void) {
    char name[32], other_name[32];
    struct stat st;
    struct statfs fs;
    int lock = 7;
    master = MUST(open("/dev/ptmx", O_RDWR | O_NOCTTY));
    pair_name(name);
    say_call("TIOCGPTLCK", ioctl(master, TIOCGPTLCK, &lock));
    say("a new one is locked", "%d", lock);
    say_ok("opening it locked", open(name, O_RDWR | O_NOCTTY));
    lock = 0;
    say_call("TIOCSPTLCK", ioctl(master, TIOCSPTLCK, &lock));
    ioctl(master, TIOCGPTLCK, &lock);
    say("is locked", "%d", lock);
    slave = open(name, O_RDWR | O_NOCTTY);
    say_ok("opening it", slave);
    MUST(stat(name, &st));
    say("mode", "%o", st.st_mode);
    say("owner", "%d %d", (int)st.st_uid, (int)st.st_gid);
    say("major number", "%d", (int)major(st.st_rdev));
    unsigned number;
    ioctl(master, TIOCGPTN, &number);
    say_bool("the minor is its number", minor(st.st_rdev) == number);
    say_bool("the inode is three more", st.st_ino == number + 3);
    say("links", "%d", (int)st.st_nlink);
    say_call("chmod", chmod(name, 0622));
    say_call("chown", chown(name, 12, 34));
    MUST(stat(name, &st));
    say("mode afterwards", "%o %d %d", st.st_mode, (int)st.st_uid, (int)st.st_gid);
    say_call("unlink", unlink(name));
    say_ok("creating a file", open("/dev/pts/file", O_CREAT | O_RDWR, 0600));
    say_call("mkdir", mkdir("/dev/pts/folder", 0755));
    say_call("mknod", mknod("/dev/pts/node", S_IFIFO | 0600, 0));
    say_call("rename", rename(name, "/dev/pts/other"));
    say_call("symlink", symlink("x", "/dev/pts/link"));
    say_call("link", link(name, "/dev/pts/link"));
    MUST(statfs("/dev/pts", &fs));
    say("file system", "%#lx block %ld names %ld", (unsigned long)fs.f_type, (long)fs.f_bsize, (long)fs.f_namelen);
    MUST(stat("/dev/pts", &st));
    say("the folder", "%o inode %d", st.st_mode, (int)st.st_ino);
    MUST(stat("/dev/pts/ptmx", &st));
    say("its ptmx", "%o inode %d device %d:%d", st.st_mode, (int)st.st_ino, (int)major(st.st_rdev),
        (int)minor(st.st_rdev));
    MUST(stat("/dev/ptmx", &st));
    say("/dev/ptmx", "%o device %d:%d", st.st_mode, (int)major(st.st_rdev), (int)minor(st.st_rdev));
    int second = MUST(open("/dev/pts/ptmx", O_RDWR | O_NOCTTY)), first = master;
    master = second;
    pair_name(other_name);
    say_bool("another one has another number", strcmp(name, other_name) != 0);
    master = first;
    DIR *dir = opendir("/dev/pts");
    int found = 0, all = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL; all++) {
        char path[300];
        snprintf(path, sizeof(path), "/dev/pts/%s", e->d_name);
        found += !strcmp(path, name) || !strcmp(path, other_name);
    }
    closedir(dir);
    say("listed", "%d", found);
    close(second);
    say_call("the other one's name, closed", access(other_name, F_OK));
    say_call("a leading zero", access("/dev/pts/00", F_OK));
    say_bool("its terminal name by ttyname", ttyname(slave) != NULL && strcmp(ttyname(slave), name) == 0);
    close(slave);
    close(master);
    say_call("the name, master closed", access(name, F_OK));
    say_ok("O_RDONLY of ptmx", open("/dev/ptmx", O_RDONLY | O_NOCTTY));
    say_ok("O_DIRECTORY of ptmx", open("/dev/ptmx", O_DIRECTORY));
}

static void ends(void) {
    char name[32];
    struct winsize size;
    pair_open(0);
    pair_name(name);
    say_poll("master, fresh", master);
    say_poll("slave, fresh", slave);
    write(slave, "last words", 10);
    ready(master, 1000);
    say_poll("master, written to", master);
    close(slave);
    say_poll("master, slave closed with data", master);
    say_read("the data", master, 100);
    say_poll("master, slave closed", master);
    say_read("read then", master, 100);
    say_call("write then", write(master, "typed\n", 6));
    ready(master, 50);
    say_call("TIOCGWINSZ then", ioctl(master, TIOCGWINSZ, &size));
    slave = MUST(open(name, O_RDWR | O_NOCTTY));
    say_poll("master, slave open again", master);
    say_read("what was typed before", slave, 100);
    say_read("the echo of it", master, 100);
    int other = MUST(dup(slave)), nonblocking = MUST(open(name, O_RDWR | O_NOCTTY | O_NONBLOCK));
    close(slave);
    say_poll("master, one of three closed", master);
    slave = other;
    say_call("read nothing without blocking", read(nonblocking, name, 1));
    close(master);
    say_poll("slave, master closed", slave);
    say_call("slave read", read(slave, name, 10));
    say_call("slave write", write(slave, "x", 1));
    say_call("slave TIOCGWINSZ", ioctl(slave, TIOCGWINSZ, &size));
    say_call("slave TIOCSPGRP", ioctl(slave, TIOCSPGRP, &(int){1}));
    say_call("slave tcgetattr", tcgetattr(slave, &(struct termios){0}));
    snprintf(name, sizeof(name), "/proc/self/fd/%d", slave);
    say_ok("opening it again by its descriptor", open(name, O_RDWR | O_NOCTTY));
    close(slave);
    close(nonblocking);

    master = MUST(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK));
    say_poll("master without a slave", master);
    say_call("read without a slave", read(master, name, 1));
    say_call("write without a slave", write(master, "x", 1));
    close(master);
}

static int wait_for_end(void) {
    char byte;
    return read(slave, &byte, 1) == -1 ? errno : 0;
}

static int wait_for_slaves(void) {
    char byte;
    close(slave);
    return read(master, &byte, 1) == -1 ? errno : 0;
}

static void waking(void) {
    pair_open(0);
    pid_t child = fork();
    if (child == 0) {
        close(master);
        _exit(wait_for_end());
    }
    await_blocked(child);
    close(master);
    say("a slave reader, master closed", "%s", error_name(WEXITSTATUS(reap(child))));
    close(slave);
    pair_open(0);
    child = spawn(wait_for_slaves);
    await_blocked(child);
    close(slave);
    say("a master reader, slave closed", "%s", error_name(WEXITSTATUS(reap(child))));
    close(master);
}

static void peer(void) {
    struct stat a, b;
    char name[32];
    int lock = 0;
    master = MUST(open("/dev/ptmx", O_RDWR | O_NOCTTY));
    pair_name(name);
    say_ok("TIOCGPTPEER, locked", ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY));
    ioctl(master, TIOCSPTLCK, &lock);
    slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    say_ok("TIOCGPTPEER", slave);
    fstat(slave, &a);
    stat(name, &b);
    say_bool("is the slave", a.st_ino == b.st_ino && a.st_rdev == b.st_rdev && a.st_dev == b.st_dev);
    say("close on exec", "%d", fcntl(slave, F_GETFD));
    say("flags", "%#x", (unsigned)fcntl(slave, F_GETFL) & 0xffffu);
    say_call("TIOCGPTPEER of a slave", ioctl(slave, TIOCGPTPEER, O_RDWR));
    say_call("TIOCGPTPEER of a pipe", ioctl(STDOUT_FILENO, TIOCGPTPEER, O_RDWR));
    say_call("TIOCGPTN of a slave", ioctl(slave, TIOCGPTN, &lock));
    say_call("TIOCSPTLCK of a slave", ioctl(slave, TIOCSPTLCK, &lock));
    say_call("TIOCGPTN, bad address", ioctl(master, TIOCGPTN, 8));
    say_call("TIOCSPTLCK, bad address", ioctl(master, TIOCSPTLCK, 8));
    int again = ioctl(master, TIOCGPTPEER, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    say("another, to read", "%#x", (unsigned)fcntl(again, F_GETFL) & 0xffffu);
    close(again);
    pair_close();
}

static void instances(void) {
    int lock = 0, number = 99;
    char text[256];
    mkdir("pts", 0755);
    say_call("a second instance", mount("devpts", "pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=0600,max=2"));
    struct stat st;
    stat("pts/ptmx", &st);
    say("ptmxmode", "%o", st.st_mode);
    int a = open("pts/ptmx", O_RDWR | O_NOCTTY), b = open("pts/ptmx", O_RDWR | O_NOCTTY);
    ioctl(a, TIOCGPTN, &number);
    say("numbers begin anew", "%d", number);
    ioctl(b, TIOCGPTN, &number);
    say("the second", "%d", number);
    say_ok("more than max", open("pts/ptmx", O_RDWR | O_NOCTTY));
    close(a);
    a = open("pts/ptmx", O_RDWR | O_NOCTTY);
    ioctl(a, TIOCGPTN, &number);
    say("a number that was given back", "%d", number);
    stat("pts/0", &st);
    say("mode and group", "%o %d", st.st_mode, (int)st.st_gid);
    ioctl(a, TIOCSPTLCK, &lock);
    int end = ioctl(a, TIOCGPTPEER, O_RDWR | O_NOCTTY);
    say_ok("the peer", end);
    say_call("umount, in use", umount("pts"));
    close(end);
    close(a);
    close(b);
    say_call("umount", umount("pts"));
    FILE *f = fopen("/proc/mounts", "re");
    while (f != NULL && fgets(text, sizeof(text), f) != NULL) {
        if (strstr(text, " devpts ") != NULL) {
            say_bool("options in /proc/mounts", strstr(text, "gid=5,mode=620,ptmxmode=666") != NULL);
        }
    }
    fclose(f);
    say_call("an unknown option", mount("devpts", "pts", "devpts", 0, "nonsense"));
    say_call("a bad number", mount("devpts", "pts", "devpts", 0, "gid=x"));
    say_call("max too large", mount("devpts", "pts", "devpts", 0, "max=9999999"));
    mknod("ptmx", S_IFCHR | 0666, makedev(5, 2));
    say_ok("a ptmx beside a folder pts", open("ptmx", O_RDWR | O_NOCTTY));
    rmdir("pts");
    say_ok("a ptmx without pts", open("ptmx", O_RDWR | O_NOCTTY));
    unlink("ptmx");
}

int main(void) {
    names();
    ends();
    waking();
    peer();
    instances();
    return 0;
}
