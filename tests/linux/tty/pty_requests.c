// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Requests of terminals, on both sides of a pseudo-terminal: settings in their three forms and their locks, packet mode, exclusive use, typing for others, line
// disciplines, modem lines that are not there.
#include "pty_pair.h"
#include <sys/sysmacros.h>

#ifndef TCGETS2
#define TCGETS2  0x802c542au
#define TCSETS2  0x402c542bu
#define TCSETSW2 0x402c542cu
#define TCSETSF2 0x402c542du
#endif
#ifndef TCGETA
#define TCGETA  0x5405
#define TCSETA  0x5406
#define TCSETAW 0x5407
#define TCSETAF 0x5408
#endif
#ifndef TIOCGPKT
#define TIOCGPKT 0x80045438u
#endif
#ifndef TIOCGEXCL
#define TIOCGEXCL 0x80045440u
#endif
#ifndef TIOCGDEV
#define TIOCGDEV 0x80045432u
#endif
#ifndef TIOCVHANGUP
#define TIOCVHANGUP 0x5437
#endif
#define BOTHER_ 0010000u

struct settings {
    unsigned iflag, oflag, cflag, lflag;
    unsigned char line, cc[19];
    unsigned input_speed, output_speed;
};
struct old_settings {
    unsigned short iflag, oflag, cflag, lflag;
    unsigned char line, cc[8];
};

static void show(const char *name, int fd) {
    struct settings s;
    memset(&s, 0x55, sizeof(s));
    if (ioctl(fd, TCGETS2, &s) == -1) {
        say(name, "%s", error_name(errno));
        return;
    }
    char text[64];
    int at = 0;
    for (int i = 0; i < 19; i++) {
        at += sprintf(text + at, "%02x", s.cc[i]);
    }
    say(name, "%o %o %o %o line %d cc %s speed %u %u", s.iflag, s.oflag, s.cflag, s.lflag, s.line, text, s.input_speed,
        s.output_speed);
}

static void forms(void) {
    struct settings s, kept;
    struct old_settings o;
    show("settings of a new one", slave);
    show("through the master", master);
    MUST(ioctl(slave, TCGETS2, &kept));
    memset(&s, 0x55, sizeof(s));
    say_call("TCGETS", ioctl(slave, TCGETS, &s));
    say("writes no speeds", "%x %x", s.input_speed, s.output_speed);
    memset(&o, 0x55, sizeof(o));
    say_call("TCGETA", ioctl(slave, TCGETA, &o));
    say("old form", "%o %o %o %o line %d cc %02x %02x %02x", o.iflag, o.oflag, o.cflag, o.lflag, o.line, o.cc[0],
        o.cc[4], o.cc[7]);
    o.lflag = ISIG;
    o.cc[0] = 1;
    o.cflag = B9600 | CS7 | PARENB;
    say_call("TCSETA", ioctl(slave, TCSETA, &o));
    show("afterwards", slave);
    o.lflag |= ICANON;
    say_call("TCSETAW", ioctl(slave, TCSETAW, &o));
    write(master, "old\n", 4);
    ready(slave, 1000);
    say_call("TCSETAF", ioctl(slave, TCSETAF, &o));
    say("input is gone", "%d", ready(slave, 0));
    s = kept;
    s.cflag = (kept.cflag & ~(unsigned)CBAUD) | BOTHER_;
    s.output_speed = 12345;
    s.input_speed = 54321;
    say_call("TCSETS2 with speeds of its own", ioctl(slave, TCSETS2, &s));
    show("afterwards", slave);
    s.cflag |= BOTHER_ << 16;
    s.input_speed = 777;
    say_call("TCSETSW2 with both", ioctl(slave, TCSETSW2, &s));
    show("afterwards", slave);
    s.cflag = (kept.cflag & ~(unsigned)CBAUD) | B300 | B1200 << 16;
    s.line = 5;
    write(master, "x\n", 2);
    ready(slave, 1000);
    say_call("TCSETSF2", ioctl(slave, TCSETSF2, &s));
    show("afterwards", slave);
    say("input is gone", "%d", ready(slave, 0));
    s.cflag = (kept.cflag & ~(unsigned)CBAUD) | B4000000;
    s.line = 0;
    say_call("TCSETS", ioctl(slave, TCSETS, &s));
    show("afterwards", slave);
    s.cflag = kept.cflag & ~(unsigned)(CBAUD | CREAD | CSIZE | CLOCAL | HUPCL);
    s.cflag |= CSTOPB | CRTSCTS | PARENB | PARODD | CS5;
    s.iflag = s.oflag = s.lflag = 0xffffffffu;
    say_call("everything, TCSETSW", ioctl(slave, TCSETSW, &s));
    show("afterwards", slave);
    say_call("TCSETSF through the master", ioctl(master, TCSETSF, &kept));
    show("afterwards", slave);
    say_call("TCGETS at a bad address", ioctl(slave, TCGETS, 8));
    say_call("TCGETS2 at a bad address", ioctl(slave, TCGETS2, 8));
    say_call("TCGETA at a bad address", ioctl(slave, TCGETA, 8));
    say_call("TCSETS at a bad address", ioctl(slave, TCSETS, 8));
    say_call("TCSETSF2 at a bad address", ioctl(slave, TCSETSF2, 8));
    say_call("TCSETAW at a bad address", ioctl(slave, TCSETAW, 8));
    int local = -1;
    say_call("TIOCGSOFTCAR", ioctl(slave, TIOCGSOFTCAR, &local));
    say("local", "%d", local);
    local = 1;
    say_call("TIOCSSOFTCAR", ioctl(slave, TIOCSSOFTCAR, &local));
    ioctl(slave, TIOCGSOFTCAR, &local);
    say("local", "%d", local);
    say_call("TIOCSSOFTCAR at a bad address", ioctl(slave, TIOCSSOFTCAR, 8));
    ioctl(slave, TCSETS2, &kept);
}

static void locks(void) {
    struct settings kept, s, lock;
    MUST(ioctl(slave, TCGETS2, &kept));
    memset(&lock, 0x55, sizeof(lock));
    say_call("TIOCGLCKTRMIOS", ioctl(slave, TIOCGLCKTRMIOS, &lock));
    say("nothing is locked", "%x %x %x %x %x", lock.iflag, lock.oflag, lock.cflag, lock.lflag, lock.cc[0]);
    lock.lflag = ECHO;
    lock.cc[VINTR] = 1;
    say_call("TIOCSLCKTRMIOS", ioctl(slave, TIOCSLCKTRMIOS, &lock));
    s = kept;
    s.lflag &= ~(unsigned)(ECHO | ISIG);
    s.cc[VINTR] = 9, s.cc[VQUIT] = 9;
    say_call("TCSETS", ioctl(slave, TCSETS, &s));
    show("what was locked stays", slave);
    lock.lflag = 0;
    lock.cc[VINTR] = 0;
    ioctl(slave, TIOCSLCKTRMIOS, &lock);
    say_call("TIOCSLCKTRMIOS at a bad address", ioctl(slave, TIOCSLCKTRMIOS, 8));
    ioctl(slave, TCSETS2, &kept);
}

// In packet mode: one read, with its first byte as a number.
static void packet(const char *name) {
    char buffer[100];
    if (!ready(master, 60)) {
        say(name, "nothing");
        return;
    }
    ssize_t n = read(master, buffer, sizeof(buffer));
    if (n < 1) {
        say(name, "%zd", n);
    } else {
        say(name, "%zd: %#x \"%s\"", n, buffer[0], visible(buffer + 1, n - 1));
    }
}

static void packets(void) {
    int on = 1;
    struct termios t;
    char byte;
    say_sent("what was echoed before");
    say_call("TIOCGPKT", ioctl(master, TIOCGPKT, &on));
    say("is", "%d", on);
    on = 1;
    say_call("TIOCPKT", ioctl(master, TIOCPKT, &on));
    ioctl(master, TIOCGPKT, &on);
    say("is", "%d", on);
    write(slave, "data", 4);
    packet("data");
    write(slave, "more", 4);
    ready(master, 1000);
    say("read of one byte", "%zd", read(master, &byte, 1));
    packet("the rest");
    tcflow(slave, TCOOFF);
    say_poll("stopped", master);
    packet("TCOOFF");
    tcflow(slave, TCOON);
    packet("TCOON");
    tcflush(slave, TCIFLUSH);
    packet("TCIFLUSH");
    tcflush(slave, TCOFLUSH);
    packet("TCOFLUSH");
    tcflush(slave, TCIOFLUSH);
    packet("TCIOFLUSH");
    MUST(tcgetattr(slave, &t));
    t.c_iflag &= ~(tcflag_t)IXON;
    tcsetattr(slave, TCSANOW, &t);
    packet("IXON off");
    t.c_iflag |= IXON;
    tcsetattr(slave, TCSANOW, &t);
    packet("IXON on");
    t.c_cc[VSTOP] = 'x';
    tcsetattr(slave, TCSANOW, &t);
    packet("another STOP");
    t.c_cc[VSTOP] = 023;
    tcsetattr(slave, TCSANOW, &t);
    packet("the usual STOP");
    t.c_lflag |= EXTPROC;
    tcsetattr(slave, TCSANOW, &t);
    packet("EXTPROC on");
    t.c_lflag &= ~(tcflag_t)(EXTPROC);
    tcsetattr(slave, TCSANOW, &t);
    packet("EXTPROC off");
    tcsetattr(slave, TCSANOW, &t);
    packet("no change");
    write(master, "\023", 1);
    packet("the STOP key");
    write(master, "\021", 1);
    packet("the START key");
    tcflow(slave, TCOOFF);
    tcflow(slave, TCOON);
    write(slave, "after", 5);
    packet("the newest state, first");
    packet("then the data");
    on = 0;
    say_call("TIOCPKT off", ioctl(master, TIOCPKT, &on));
    write(slave, "plain", 5);
    say_sent("data");
    say_call("TIOCPKT of a slave", ioctl(slave, TIOCPKT, &on));
    say_call("TIOCGPKT of a slave", ioctl(slave, TIOCGPKT, &on));
    say_call("TIOCPKT at a bad address", ioctl(master, TIOCPKT, 8));
}

static int unprivileged(const char *path) {
    setresuid(1000, 1000, 1000);
    return open(path, O_RDWR | O_NOCTTY) == -1 ? errno : 0;
}

static void others(void) {
    char name[32];
    int n = -1;
    struct settings lock = {0};
    pair_name(name);
    chmod(name, 0666);
    say_call("TIOCEXCL", ioctl(slave, TIOCEXCL));
    say_call("TIOCGEXCL", ioctl(slave, TIOCGEXCL, &n));
    say("exclusive", "%d", n);
    ioctl(master, TIOCGEXCL, &n);
    say("the master", "%d", n);
    int again = open(name, O_RDWR | O_NOCTTY);
    say_ok("root opens it", again);
    close(again);
    pid_t child = fork();
    if (child == 0) {
        _exit(unprivileged(name));
    }
    say("another user opens it", "%s", error_name(WEXITSTATUS(reap(child))));
    say_call("TIOCNXCL", ioctl(slave, TIOCNXCL));
    child = fork();
    if (child == 0) {
        _exit(unprivileged(name));
    }
    say("another user opens it", "%d", WEXITSTATUS(reap(child)));
    say_call("TIOCEXCL of the master", ioctl(master, TIOCEXCL));
    ioctl(master, TIOCGEXCL, &n);
    say("is", "%d", n);
    ioctl(master, TIOCNXCL);

    say_call("TIOCSTI", ioctl(slave, TIOCSTI, "k"));
    say_call("TIOCSTI", ioctl(slave, TIOCSTI, "\n"));
    say_sent("echo");
    say_read("read", slave, 100);
    say_call("TIOCSTI at the master", ioctl(master, TIOCSTI, "m"));
    say_sent("read there");
    say_call("TIOCSTI at a bad address", ioctl(slave, TIOCSTI, 8));
    child = fork();
    if (child == 0) {
        setsid();
        setresuid(1000, 1000, 1000);
        say_call("TIOCSTI without privilege", ioctl(slave, TIOCSTI, "x"));
        say_call("TIOCVHANGUP without privilege", ioctl(slave, TIOCVHANGUP));
        say_call("TIOCCONS without privilege", ioctl(slave, TIOCCONS));
        say_call("TIOCSLCKTRMIOS without privilege", ioctl(slave, TIOCSLCKTRMIOS, &lock));
        int own = open(name, O_RDWR);
        say_call("TIOCSTI on the own terminal", ioctl(own, TIOCSTI, "x"));
        _exit(0);
    }
    reap(child);
    tcflush(slave, TCIFLUSH);
    tcflush(master, TCIFLUSH);

    say_call("TIOCGETD", ioctl(slave, TIOCGETD, &n));
    say("discipline", "%d", n);
    n = 0;
    say_call("TIOCSETD", ioctl(slave, TIOCSETD, &n));
    n = 29;
    say_call("TIOCSETD of none", ioctl(slave, TIOCSETD, &n));
    n = 1000;
    say_call("TIOCSETD of no number", ioctl(slave, TIOCSETD, &n));
    say_call("TIOCSETD at a bad address", ioctl(slave, TIOCSETD, 8));
    say_call("TIOCGETD of the master", ioctl(master, TIOCGETD, &n));
    unsigned device = 0, number = 0;
    say_call("TIOCGDEV", ioctl(slave, TIOCGDEV, &device));
    ioctl(master, TIOCGPTN, &number);
    say_bool("its number", device == (136u << 8 | number));
    ioctl(master, TIOCGDEV, &device);
    say_bool("that of the slave", device == (136u << 8 | number));
    say_call("TIOCMGET", ioctl(slave, TIOCMGET, &n));
    say_call("TIOCMSET", ioctl(slave, TIOCMSET, &n));
    say_call("TIOCMBIS", ioctl(slave, TIOCMBIS, &n));
    say_call("TIOCMBIC", ioctl(slave, TIOCMBIC, &n));
    say_call("TIOCMIWAIT", ioctl(slave, TIOCMIWAIT, 0));
    say_call("TIOCGICOUNT", ioctl(slave, TIOCGICOUNT, &lock));
    say_call("TIOCGSERIAL", ioctl(slave, TIOCGSERIAL, &lock));
    say_call("TIOCLINUX", ioctl(slave, TIOCLINUX, &lock));
    say_call("an unknown request", ioctl(slave, 0x54ee, 0));
    say_call("an unknown request at the master", ioctl(master, 0x54ee, 0));
    say_call("TCXONC", ioctl(slave, TCXONC, TCOON));
    say_call("TCFLSH", ioctl(slave, TCFLSH, TCIOFLUSH));
    say_call("TCSBRK, to drain", ioctl(slave, TCSBRK, 1));
    say_call("TCSBRK", ioctl(slave, TCSBRK, 0));
    n = 1;
    say_call("FIONBIO", ioctl(master, FIONBIO, &n));
    say_call("read then", read(master, name, 1));
    n = 0;
    ioctl(master, FIONBIO, &n);
    say_call("TIOCCONS of the master", ioctl(master, TIOCCONS));
    int reading = open("/dev/tty", O_RDONLY);
    close(reading);
    say_call("TIOCVHANGUP of the master", ioctl(master, TIOCVHANGUP));
    say_poll("poll", master);
    say_call("read", read(master, name, 1));
    say_call("write", write(master, "x", 1));
    say_call("TIOCGPTN", ioctl(master, TIOCGPTN, &n));
    say_poll("the slave", slave);
}

int main(void) {
    alarm(15);
    pair_open(0);
    forms();
    locks();
    packets();
    others();
    pair_close();
    return 0;
}
