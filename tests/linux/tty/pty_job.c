// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Job control on a pseudo-terminal: how it becomes a controlling terminal and stops being one, foreground groups, signals of keys, background access,
// hang-up, orphans.
#include "pty_pair.h"

static char name[32];
static volatile sig_atomic_t caught, count, both; // the last signal, how many, bits of all

static void handler(int signal) {
    caught = signal;
    both |= 1 << signal;
    count++;
}

static void catch (int signal) {
    struct sigaction action = {.sa_handler = handler};
    sigaction(signal, &action, NULL);
}

static int has_terminal(void) {
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY);
    int error = errno;
    close(fd);
    return fd == -1 ? error : 0;
}

static const char *terminal(void) {
    int error = has_terminal();
    return error == 0 ? "yes" : error_name(error);
}

// Runs the function in a session of its own.
static void in_session(const char *what, int (*function)(void)) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        setsid();
        _exit(function());
    }
    say(what, "%s", status_text(reap(child)));
}

static int child_without(void) {
    say("in a child from before", "%s", terminal());
    return 0;
}

static int acquiring(void) {
    int fd;
    struct gate gate = gate_create();
    pid_t before = fork();
    if (before == 0) {
        gate_wait(&gate);
        _exit(child_without());
    }
    say("a new session's terminal", "%s", terminal());
    fd = MUST(open(name, O_RDWR | O_NOCTTY));
    say("after O_NOCTTY", "%s", terminal());
    say_call("tcgetpgrp without it", tcgetpgrp(fd));
    say_call("tcgetsid without it", tcgetsid(fd));
    say_call("TIOCNOTTY without it", ioctl(fd, TIOCNOTTY));
    close(fd);
    fd = MUST(open(name, O_WRONLY));
    say("after O_WRONLY", "%s", terminal());
    close(fd);
    fd = MUST(open(name, O_RDWR));
    say("after an open", "%s", terminal());
    say_bool("its session", tcgetsid(fd) == getsid(0));
    say_bool("its group", tcgetpgrp(fd) == getpgrp());
    gate_raise(&gate);
    reap(before);
    pid_t child = fork();
    if (child == 0) {
        say("in a child", "%s", terminal());
        say_call("TIOCNOTTY of the child", ioctl(fd, TIOCNOTTY));
        say("in it then", "%s", terminal());
        say_call("TIOCSCTTY of the child", ioctl(fd, TIOCSCTTY, 0));
        _exit(0);
    }
    reap(child);
    say("still ours", "%s", terminal());
    say_call("TIOCSCTTY again", ioctl(fd, TIOCSCTTY, 0));
    signal(SIGHUP, SIG_IGN);
    catch (SIGCONT);
    say_call("TIOCNOTTY", ioctl(fd, TIOCNOTTY));
    say("SIGCONT", "%d", (int)count);
    say("afterwards", "%s", terminal());
    say_call("TIOCSCTTY through the master", ioctl(master, TIOCSCTTY, 0));
    say("afterwards", "%s", terminal());
    int group = -1;
    say_call("TIOCGPGRP of the master", ioctl(master, TIOCGPGRP, &group));
    say_bool("is the group", group == getpgrp());
    say_call("TIOCGSID of the master", ioctl(master, TIOCGSID, &group));
    say_bool("is the session", group == getsid(0));
    say_call("TIOCNOTTY of the master", ioctl(master, TIOCNOTTY));
    child = fork();
    if (child == 0) {
        setsid();
        int again = open(name, O_RDWR);
        say("a session that opens it", "%s", terminal());
        say_call("TIOCSCTTY", ioctl(again, TIOCSCTTY, 0));
        setresuid(1000, 1000, 1000);
        say_call("stealing it without privilege", ioctl(again, TIOCSCTTY, 1));
        _exit(0);
    }
    reap(child);
    child = fork();
    if (child == 0) {
        setsid();
        int again = open(name, O_RDWR);
        say_call("stealing it", ioctl(again, TIOCSCTTY, 1));
        say("the thief", "%s", terminal());
        _exit(0);
    }
    reap(child);
    say("who was robbed", "%s", terminal());
    say_call("tcgetpgrp", tcgetpgrp(fd));
    return 0;
}

static int nobody_else(void) {
    int fd = MUST(open(name, O_RDWR)), pid = 999999;
    pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        pause();
        _exit(0);
    }
    setpgid(child, child);
    say_call("tcsetpgrp", tcsetpgrp(fd, child));
    say_bool("is it", tcgetpgrp(fd) == child);
    catch (SIGTTOU);
    say_call("from the background", tcsetpgrp(fd, getpgrp()));
    say("caught", "%s", signal_name(caught));
    signal(SIGTTOU, SIG_IGN);
    say_call("ignoring it", tcsetpgrp(fd, getpgrp()));
    say_call("no such group", ioctl(fd, TIOCSPGRP, &pid));
    pid = -1;
    say_call("a negative group", ioctl(fd, TIOCSPGRP, &pid));
    pid = 1;
    say_call("another session's group", ioctl(fd, TIOCSPGRP, &pid));
    say_call("a bad address", ioctl(fd, TIOCSPGRP, 8));
    say_call("TIOCGPGRP at a bad address", ioctl(fd, TIOCGPGRP, 8));
    say_call("TIOCGSID at a bad address", ioctl(fd, TIOCGSID, 8));
    pid = getpgrp();
    say_call("TIOCSPGRP of the master", ioctl(master, TIOCSPGRP, &pid));
    pid_t member = fork();
    if (member == 0) {
        pause();
        _exit(0);
    }
    say_call("a process that leads no group", tcsetpgrp(fd, member));
    say_call("back", tcsetpgrp(fd, getpgrp()));
    kill(member, SIGKILL);
    reap(member);
    tcsetpgrp(fd, child);
    kill(child, SIGKILL);
    reap(child);
    say_bool("a group that has gone", tcgetpgrp(fd) == child);
    say_call("and then none", tcsetpgrp(fd, child));
    say_call("ours", tcsetpgrp(fd, getpgrp()));
    return 0;
}

static int keys(void) {
    int fd = MUST(open(name, O_RDWR));
    struct winsize size = {10, 20, 0, 0};
    struct gate gate = gate_create(), done = gate_create();
    pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        catch (SIGINT), catch (SIGQUIT), catch (SIGTSTP), catch (SIGWINCH);
        gate_raise(&gate);
        for (int i = 0; i < 7; i++) {
            while (count == 0) {
                sleep_ms(1);
            }
            count = 0;
            say("the foreground group caught", "%s", signal_name(caught));
            gate_raise(&done);
        }
        _exit(0);
    }
    setpgid(child, child);
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(fd, child);
    gate_wait(&gate);
    write(master, "lost\003", 5), gate_wait(&done);
    write(master, "\034", 1), gate_wait(&done);
    write(master, "\032", 1), gate_wait(&done);
    say_call("TIOCSWINSZ of the slave", ioctl(fd, TIOCSWINSZ, &size)), gate_wait(&done);
    say_call("TIOCSWINSZ, the same", ioctl(fd, TIOCSWINSZ, &size));
    size.ws_row++;
    say_call("TIOCSWINSZ of the master", ioctl(master, TIOCSWINSZ, &size)), gate_wait(&done);
    ioctl(fd, TIOCGWINSZ, &size);
    say("the window", "%d %d", size.ws_row, size.ws_col);
    say_call("TIOCSIG", ioctl(master, TIOCSIG, SIGQUIT)), gate_wait(&done);
    say_call("TIOCSIG of another signal", ioctl(master, TIOCSIG, SIGUSR1));
    say_call("TIOCSIG of a slave", ioctl(fd, TIOCSIG, SIGINT));
    modes(0, 0, 0, 0, NOFLSH, 0);
    write(master, "kept\003\n", 6), gate_wait(&done);
    reap(child);
    tcsetpgrp(fd, getpgrp());
    write(master, "\n", 1);
    say_read("with NOFLSH what was typed stays", fd, 100);
    return 0;
}

static int background(void) {
    int fd = MUST(open(name, O_RDWR)), status = 0;
    struct termios t;
    static const char *const names[] = {"read",      "write",  "write with TOSTOP", "tcsetattr", "tcflush",   "tcdrain",
                                        "tcsetpgrp", "tcflow", "tcsendbreak",       "TIOCSTI",   "TIOCSWINSZ"};
    for (int what = 0; what < 11; what++) {
        for (int mode = 0; mode < 3; mode++) {
            char text[64];
            tcgetattr(fd, &t);
            t.c_lflag = what == 2 ? t.c_lflag | TOSTOP : t.c_lflag & ~(tcflag_t)TOSTOP;
            tcsetattr(fd, TCSANOW, &t);
            pid_t child = fork();
            if (child == 0) {
                long r = 0;
                struct winsize size = {1, 1, 0, 0};
                setpgid(0, 0);
                if (mode == 1) {
                    signal(SIGTTIN, SIG_IGN), signal(SIGTTOU, SIG_IGN);
                } else if (mode == 2) {
                    sigset_t set;
                    sigemptyset(&set);
                    sigaddset(&set, SIGTTIN), sigaddset(&set, SIGTTOU);
                    sigprocmask(SIG_BLOCK, &set, NULL);
                }
                fcntl(fd, F_SETFL, O_NONBLOCK);
                switch (what) {
                case 0: r = read(fd, text, 1); break;
                case 1:
                case 2: r = write(fd, "", 1); break;
                case 3: r = tcsetattr(fd, TCSANOW, &t); break;
                case 4: r = tcflush(fd, TCIFLUSH); break;
                case 5: r = tcdrain(fd); break;
                case 6: r = tcsetpgrp(fd, getsid(0)); break;
                case 7: r = tcflow(fd, TCOON); break;
                case 8: r = tcsendbreak(fd, 0); break;
                case 9: r = ioctl(fd, TIOCSTI, "\r"); break;
                default: r = ioctl(fd, TIOCSWINSZ, &size); break;
                }
                _exit(r < 0 ? errno : 0);
            }
            waitpid(child, &status, WUNTRACED);
            snprintf(text, sizeof(text), "%s%s", names[what], mode == 0 ? "" : mode == 1 ? ", ignored" : ", blocked");
            if (WIFSTOPPED(status)) {
                say(text, "%s", status_text(status));
                kill(child, SIGKILL);
                reap(child);
            } else {
                say(text, "%s",
                    WIFEXITED(status) && WEXITSTATUS(status) ? error_name(WEXITSTATUS(status)) : status_text(status));
            }
        }
    }
    fcntl(fd, F_SETFL, 0);
    return 0;
}

static int orphaned(void) {
    int fd = MUST(open(name, O_RDWR));
    struct gate gate = gate_create();
    int pipes[2];
    MUST(pipe(pipes));
    pid_t child = fork();
    if (child == 0) {
        if (fork() == 0) {
            char byte;
            setpgid(0, 0);
            gate_wait(&gate); // the parent has gone
            int r = read(fd, &byte, 1) == -1 ? errno : 0;
            write(pipes[1], &r, sizeof(r));
            struct termios t;
            tcgetattr(fd, &t);
            t.c_lflag |= TOSTOP;
            signal(SIGTTOU, SIG_IGN);
            tcsetattr(fd, TCSANOW, &t);
            signal(SIGTTOU, SIG_DFL);
            r = write(fd, "x", 1) == -1 ? errno : 0;
            write(pipes[1], &r, sizeof(r));
            r = tcsetpgrp(fd, getpgrp()) == -1 ? errno : 0;
            write(pipes[1], &r, sizeof(r));
            r = tcsetattr(fd, TCSANOW, &t) == -1 ? errno : 0;
            write(pipes[1], &r, sizeof(r));
            _exit(0);
        }
        _exit(0);
    }
    reap(child);
    gate_raise(&gate);
    int r = 0;
    static const char *const names[] = {"read", "write with TOSTOP", "tcsetpgrp", "tcsetattr"};
    for (int i = 0; i < 4; i++) {
        read(pipes[0], &r, sizeof(r));
        say(names[i], "%s", r ? error_name(r) : "0");
    }
    modes(0, 0, 0, 0, 0, TOSTOP);
    return 0;
}

// The session's leader ends: who hears of it?
static void leader_ends(void) {
    struct gate ready = gate_create();
    int pipes[2], results[3];
    MUST(pipe(pipes));
    pid_t leader = fork();
    if (leader == 0) {
        setsid();
        int fd = MUST(open(name, O_RDWR));
        for (int i = 0; i < 2; i++) { // one in the foreground, one in the background
            pid_t child = fork();
            if (child == 0) {
                setpgid(0, 0);
                catch (SIGHUP), catch (SIGCONT);
                gate_raise(&ready);
                for (int tries = 0; tries < 100 && getppid() != 1; tries++) {
                    sleep_ms(5);
                }
                sleep_ms(50);
                int result = count * 100 + caught * 1000 + has_terminal();
                results[0] = i, results[1] = result, results[2] = write(fd, "x", 1) == -1 ? errno : 0;
                write(pipes[1], results, sizeof(results));
                _exit(0);
            }
            setpgid(child, child);
            if (i == 0) {
                tcsetpgrp(fd, child);
            }
            gate_wait(&ready);
        }
        _exit(0);
    }
    reap(leader);
    int seen[2][3] = {{0}};
    for (int i = 0; i < 2; i++) {
        read(pipes[0], results, sizeof(results));
        memcpy(seen[results[0] & 1], results, sizeof(results));
    }
    for (int i = 0; i < 2; i++) {
        say(i == 0 ? "foreground, leader gone" : "background, leader gone",
            "%d signals, last %s, /dev/tty %s, write %s", seen[i][1] % 1000 / 100, signal_name(seen[i][1] / 1000),
            error_name(seen[i][1] % 100), seen[i][2] ? error_name(seen[i][2]) : "0");
    }
}

// The master is closed, or the terminal hung up: who hears of it?
static void hang_up(const char *what, int how) {
    struct gate ready = gate_create(), set_up = gate_create();
    int pipes[2], results[4];
    MUST(pipe(pipes));
    fcntl(pipes[1], F_SETFD, FD_CLOEXEC);
    pid_t leader = fork();
    if (leader == 0) {
        close(master);
        setsid();
        int fd = MUST(open(name, O_RDWR));
        catch (SIGHUP), catch (SIGCONT);
        pid_t child = fork();
        if (child == 0) {
            setpgid(0, 0);
            gate_raise(&ready);
            for (int tries = 0; tries < 400 && count < 2; tries++) {
                sleep_ms(2);
            }
            results[0] = 1, results[1] = count, results[2] = both, results[3] = 0;
            write(pipes[1], results, sizeof(results));
            _exit(0);
        }
        setpgid(child, child);
        tcsetpgrp(fd, child);
        gate_wait(&ready);
        if (how == 1) {
            signal(SIGTTOU, SIG_IGN);
            results[3] = (int)syscall(SYS_vhangup);
        } else if (how == 2) {
            results[3] = ioctl(fd, TIOCVHANGUP);
        }
        gate_raise(&set_up);
        for (int tries = 0; tries < 400 && count < 2; tries++) {
            sleep_ms(2);
        }
        results[0] = 0, results[1] = count, results[2] = has_terminal();
        char byte;
        results[3] = (int)read(fd, &byte, 1);
        write(pipes[1], results, sizeof(results));
        _exit(0); // and now the group that was in the foreground hears too
    }
    if (how == 0) {
        gate_wait(&set_up);
        close(master);
        master = -1;
    }
    read(pipes[0], results, sizeof(results));
    say(what, "leader: %d signals, /dev/tty %s, read %d", results[1], error_name(results[2]), results[3]);
    read(pipes[0], results, sizeof(results));
    say("its foreground group", "%d signals, SIGHUP %d, SIGCONT %d", results[1], results[2] >> SIGHUP & 1,
        results[2] >> SIGCONT & 1);
    reap(leader);
    close(pipes[0]);
    close(pipes[1]);
}

static void fresh(void) {
    pair_open(0);
    pair_name(name);
}

int main(void) {
    alarm(18);
    fresh();
    in_session("getting a terminal", acquiring);
    pair_close(), fresh();
    in_session("groups", nobody_else);
    pair_close(), fresh();
    in_session("keys", keys);
    pair_close(), fresh();
    in_session("background", background);
    pair_close(), fresh();
    in_session("orphaned", orphaned);
    pair_close(), fresh();
    leader_ends();
    hang_up("master closed", 0);
    close(slave);
    fresh();
    hang_up("vhangup", 1);
    pair_close(), fresh();
    hang_up("TIOCVHANGUP", 2);
    pair_close();
    setresuid(1000, 1000, 1000);
    say_call("vhangup without privilege", syscall(SYS_vhangup));
    return 0;
}
