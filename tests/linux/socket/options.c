// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// getsockopt and setsockopt of level SOL_SOCKET: values, roundings, limits, who may, lengths and bad addresses.
#include "sockets.h"

#ifndef SO_RESERVE_MEM
#define SO_RESERVE_MEM 73
#endif
#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif

static int fd;

static void get(const char *name, int option) {
    int value = -77;
    socklen_t length = sizeof(value);
    if (getsockopt(fd, SOL_SOCKET, option, &value, &length) == -1) {
        say(name, "get %s", error_name(errno));
    } else {
        say(name, "get %d length %u", value, (unsigned)length);
    }
}

static void set(const char *name, int option, int value) {
    char what[64];
    snprintf(what, sizeof(what), "%s set %d", name, value);
    say_call(what, setsockopt(fd, SOL_SOCKET, option, &value, sizeof(value)));
    get(name, option);
}

static const struct {
    int option;
    const char *name;
} switches[] = {
    {SO_DEBUG, "SO_DEBUG"},         {SO_REUSEADDR, "SO_REUSEADDR"}, {SO_REUSEPORT, "SO_REUSEPORT"},
    {SO_DONTROUTE, "SO_DONTROUTE"}, {SO_BROADCAST, "SO_BROADCAST"}, {SO_KEEPALIVE, "SO_KEEPALIVE"},
    {SO_OOBINLINE, "SO_OOBINLINE"}, {SO_NO_CHECK, "SO_NO_CHECK"},   {SO_PASSCRED, "SO_PASSCRED"},
    {SO_PASSSEC, "SO_PASSSEC"},     {SO_RXQ_OVFL, "SO_RXQ_OVFL"},   {SO_WIFI_STATUS, "SO_WIFI_STATUS"},
    {SO_NOFCS, "SO_NOFCS"},         {SO_BSDCOMPAT, "SO_BSDCOMPAT"}, {SO_SELECT_ERR_QUEUE, "SO_SELECT_ERR_QUEUE"}};

static void times(void) {
    static const struct {
        long seconds, microseconds;
    } values[] = {{1, 0},      {0, 100000},  {0, 1},  {0, 4000}, {0, 4001},
                  {3, 999999}, {0, 1000000}, {0, -1}, {-1, 0},   {0, 0}};
    for (size_t i = 0; i < COUNT(values); i++) {
        char what[64];
        struct timeval tv = {values[i].seconds, values[i].microseconds};
        socklen_t length = sizeof(tv);
        snprintf(what, sizeof(what), "SO_RCVTIMEO %ld.%06ld", values[i].seconds, values[i].microseconds);
        say_call(what, setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
        getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, &length);
        say("  is", "%ld.%06ld length %u", (long)tv.tv_sec, (long)tv.tv_usec, (unsigned)length);
    }
    struct timeval tv = {5, 0};
    socklen_t length = sizeof(tv);
    say_call("SO_SNDTIMEO", setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
    memset(&tv, 0, sizeof(tv));
    getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, &length);
    say("  is", "%ld.%06ld", (long)tv.tv_sec, (long)tv.tv_usec);
    say_call("SO_RCVTIMEO of 8 bytes", setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, 8));
    length = 8;
    say_call("get of 8 bytes", getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, &length));
    say("length", "%u", (unsigned)length);
}

static void lengths(void) {
    char bytes[8] = {1, 0, 0, 0, 0, 0, 0, 0};
    socklen_t length;
    say_call("set of 3 bytes", setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, bytes, 3));
    say_call("set of 0 bytes", setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, bytes, 0));
    say_call("set of -1 bytes", setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, bytes, (socklen_t)-1));
    say_call("set of 8 bytes", setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, bytes, 8));
    say_call("set from a bad address", setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, (void *)8, 4));
    say_call("unknown option from a bad address", setsockopt(fd, SOL_SOCKET, 999, (void *)8, 4));
    say_call("unknown option", setsockopt(fd, SOL_SOCKET, 999, bytes, 4));
    say_call("unknown level", setsockopt(fd, 999, SO_KEEPALIVE, bytes, 4));
    say_call("level of TCP", setsockopt(fd, 6, 1, bytes, 4));
    length = 1;
    memset(bytes, 77, sizeof(bytes));
    say_call("get of 1 byte", getsockopt(fd, SOL_SOCKET, SO_TYPE, bytes, &length));
    say("value", "%d %d length %u", bytes[0], bytes[1], (unsigned)length);
    length = 0;
    say_call("get of 0 bytes", getsockopt(fd, SOL_SOCKET, SO_TYPE, bytes, &length));
    length = 8;
    say_call("get of 8 bytes", getsockopt(fd, SOL_SOCKET, SO_TYPE, bytes, &length));
    say("length", "%u", (unsigned)length);
    length = (socklen_t)-1;
    say_call("get of -1 bytes", getsockopt(fd, SOL_SOCKET, SO_TYPE, bytes, &length));
    length = 4;
    say_call("get to a bad address", getsockopt(fd, SOL_SOCKET, SO_TYPE, (void *)8, &length));
    say_call("get with a bad length", getsockopt(fd, SOL_SOCKET, SO_TYPE, bytes, (void *)8));
    say_call("get of an unknown option", getsockopt(fd, SOL_SOCKET, 999, bytes, &length));
    say_call("get of an unknown level", getsockopt(fd, 999, 1, bytes, &length));
}

static int ordinary(void) {
    if (setresuid(1000, 1000, 1000)) {
        return 1;
    }
    set("SO_DEBUG", SO_DEBUG, 1);
    set("SO_DEBUG", SO_DEBUG, 0);
    set("SO_PRIORITY", SO_PRIORITY, 6);
    set("SO_PRIORITY", SO_PRIORITY, 7);
    set("SO_PRIORITY", SO_PRIORITY, -1);
    set("SO_MARK", SO_MARK, 5);
    int value = 10000000;
    say_call("SO_SNDBUFFORCE", setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &value, 4));
    say_call("SO_RCVBUFFORCE", setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &value, 4));
    return 0;
}

static void sizes(void) {
    static const int of[] = {0, 1, 2303, 2304, 2305, 5000, 212992, 212993, 1 << 30, -1};
    for (size_t i = 0; i < COUNT(of); i++) {
        set("SO_SNDBUF", SO_SNDBUF, of[i]);
        set("SO_RCVBUF", SO_RCVBUF, of[i]);
    }
    int value = 1000000;
    say_call("SO_SNDBUFFORCE", setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &value, 4));
    get("SO_SNDBUF", SO_SNDBUF);
    say_call("SO_RCVBUFFORCE", setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &value, 4));
    get("SO_RCVBUF", SO_RCVBUF);
    value = -5;
    say_call("SO_SNDBUFFORCE of -5", setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &value, 4));
    get("SO_SNDBUF", SO_SNDBUF);
    get("SO_SNDBUFFORCE", SO_SNDBUFFORCE);
    get("SO_BUF_LOCK", SO_BUF_LOCK);
    set("SO_BUF_LOCK", SO_BUF_LOCK, 1);
    set("SO_BUF_LOCK", SO_BUF_LOCK, 4);
}

static void peeking(void) {
    int ends[2], at = 2;
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
    for (size_t i = 0; i < COUNT(types); i++) {
        pair(types[i], ends);
        fd = ends[1];
        say("SO_PEEK_OFF of type", "%d", types[i]);
        get("SO_PEEK_OFF", SO_PEEK_OFF);
        set("SO_PEEK_OFF", SO_PEEK_OFF, at);
        send(ends[0], "abcdef", 6, 0);
        send(ends[0], "ghijkl", 6, 0);
        say_receive("peek", fd, 3, MSG_PEEK);
        get("SO_PEEK_OFF", SO_PEEK_OFF);
        say_receive("peek", fd, 4, MSG_PEEK);
        get("SO_PEEK_OFF", SO_PEEK_OFF);
        say_receive("peek", fd, 4, MSG_PEEK | MSG_DONTWAIT);
        get("SO_PEEK_OFF", SO_PEEK_OFF);
        say_receive("recv", fd, 4, 0);
        get("SO_PEEK_OFF", SO_PEEK_OFF);
        say_receive("peek", fd, 20, MSG_PEEK | MSG_DONTWAIT);
        say_receive("peek at the end", fd, 20, MSG_PEEK | MSG_DONTWAIT);
        set("SO_PEEK_OFF", SO_PEEK_OFF, -1);
        say_receive("peek without it", fd, 20, MSG_PEEK | MSG_DONTWAIT);
        close(ends[0]);
        close(ends[1]);
    }
}

static void low_mark(void) {
    int ends[2], least = 5;
    pair(SOCK_STREAM, ends);
    fd = ends[1];
    set("SO_RCVLOWAT", SO_RCVLOWAT, 0);
    set("SO_RCVLOWAT", SO_RCVLOWAT, -1);
    set("SO_RCVLOWAT", SO_RCVLOWAT, least);
    set("SO_SNDLOWAT", SO_SNDLOWAT, 5);
    send(ends[0], "abc", 3, 0);
    struct timeval tv = {0, 20000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    say_receive("a recv below it waits in vain", fd, 20, 0);
    send(ends[0], "defgh", 5, 0);
    say_receive("enough", fd, 20, 0);
    send(ends[0], "xy", 2, 0);
    say_receive("a recv of less does not wait", fd, 2, 0);
    say_receive("SO_RCVTIMEO", fd, 2, 0);
    close(ends[0]);
    close(ends[1]);
}

int main(void) {
    struct linger linger = {1, 7};
    socklen_t length = sizeof(linger);
    unsigned char bytes[64];
    unsigned words[9];
    unsigned long long cookie = 0;
    fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    get("SO_TYPE", SO_TYPE);
    get("SO_DOMAIN", SO_DOMAIN);
    get("SO_PROTOCOL", SO_PROTOCOL);
    get("SO_ERROR", SO_ERROR);
    get("SO_ACCEPTCONN", SO_ACCEPTCONN);
    get("SO_SNDBUF", SO_SNDBUF);
    get("SO_RCVBUF", SO_RCVBUF);
    get("SO_RCVLOWAT", SO_RCVLOWAT);
    get("SO_SNDLOWAT", SO_SNDLOWAT);
    get("SO_PRIORITY", SO_PRIORITY);
    get("SO_MARK", SO_MARK);
    set("SO_TYPE", SO_TYPE, 1);
    set("SO_DOMAIN", SO_DOMAIN, 1);
    set("SO_PROTOCOL", SO_PROTOCOL, 1);
    set("SO_ERROR", SO_ERROR, 1);
    set("SO_ACCEPTCONN", SO_ACCEPTCONN, 1);
    set("SO_PEERCRED", SO_PEERCRED, 1);
    for (size_t i = 0; i < COUNT(switches); i++) {
        get(switches[i].name, switches[i].option);
        set(switches[i].name, switches[i].option, 5);
        set(switches[i].name, switches[i].option, 0);
    }
    set("SO_PRIORITY", SO_PRIORITY, 100);
    set("SO_MARK", SO_MARK, 9);
    set("SO_DETACH_FILTER", SO_DETACH_FILTER, 0);
    set("SO_LOCK_FILTER", SO_LOCK_FILTER, 1);
    set("SO_LOCK_FILTER", SO_LOCK_FILTER, 0);
    set("SO_DETACH_FILTER", SO_DETACH_FILTER, 0);
    say_call("SO_LINGER", setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
    linger.l_linger = 0;
    say_call("SO_LINGER get", getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length));
    say("linger", "%d %d %u", linger.l_onoff, linger.l_linger, (unsigned)length);
    say_call("SO_LINGER of 4 bytes", setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, 4));
    linger.l_onoff = 0;
    linger.l_linger = 99;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length);
    say("linger off", "%d %d", linger.l_onoff, linger.l_linger);
    length = sizeof(bytes);
    say_call("SO_PEERNAME unconnected", getsockopt(fd, SOL_SOCKET, SO_PEERNAME, bytes, &length));
    length = sizeof(words);
    say_call("SO_MEMINFO", getsockopt(fd, SOL_SOCKET, SO_MEMINFO, words, &length));
    say("memory", "length %u sent %u of %u", (unsigned)length, words[2], words[3]);
    length = sizeof(cookie);
    say_call("SO_COOKIE", getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length));
    say_bool("is not 0", cookie != 0);
    length = 4;
    say_call("SO_COOKIE of 4 bytes", getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length));
    bind_to(fd, "@options");
    listen(fd, 1);
    get("SO_ACCEPTCONN of a listener", SO_ACCEPTCONN);
    int client = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    connect_to(client, "@options");
    length = 11;
    say_call("SO_PEERNAME", getsockopt(client, SOL_SOCKET, SO_PEERNAME, bytes, &length));
    length = 3;
    say_call("SO_PEERNAME of 3 bytes", getsockopt(client, SOL_SOCKET, SO_PEERNAME, bytes, &length));
    say("length", "%u family %d", (unsigned)length, bytes[0]);
    length = 20;
    say_call("SO_PEERNAME of more", getsockopt(client, SOL_SOCKET, SO_PEERNAME, bytes, &length));
    times();
    lengths();
    say_child("an ordinary user", ordinary);
    sizes();
    peeking();
    low_mark();
    return 0;
}
