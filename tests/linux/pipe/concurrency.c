// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Many writers on one pipe: nothing is lost, writes of up to PIPE_BUF are not mixed; many readers share what comes.
#include "testing.h"

enum { WRITERS = 6, RECORDS = 300, RECORD = 512 };

static int channel[2], results[2];
static int number;

static int write_records(void) {
    char record[RECORD];
    close(channel[0]);
    memset(record, 'a' + number, sizeof(record));
    for (int i = 0; i < RECORDS; i++) {
        if (write(channel[1], record, sizeof(record)) != sizeof(record)) {
            return 1;
        }
    }
    return 0;
}

static int read_bytes(void) {
    char byte;
    int count = 0;
    close(channel[1]);
    while (read(channel[0], &byte, 1) == 1) {
        count++;
    }
    write(results[1], &count, sizeof(count));
    return 0;
}

int main(void) {
    pid_t pids[WRITERS];
    MUST(pipe(channel));
    for (number = 0; number < WRITERS; number++) {
        pids[number] = spawn(write_records);
    }
    close(channel[1]);
    int counts[WRITERS] = {0}, mixed = 0;
    char record[RECORD];
    size_t filled = 0;
    ssize_t n;
    while ((n = read(channel[0], record + filled, sizeof(record) - filled)) > 0) {
        filled += (size_t)n;
        if (filled == sizeof(record)) {
            for (size_t i = 1; i < sizeof(record); i++) {
                mixed += record[i] != record[0];
            }
            counts[record[0] - 'a']++;
            filled = 0;
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        reap(pids[i]);
        say("records of a writer", "%d", counts[i]);
    }
    say("mixed bytes", "%d", mixed);
    close(channel[0]);

    MUST(pipe(channel));
    MUST(pipe(results));
    for (int i = 0; i < 3; i++) {
        pids[i] = spawn(read_bytes);
    }
    close(channel[0]);
    for (int i = 0; i < 3000; i++) {
        write(channel[1], "x", 1);
    }
    close(channel[1]);
    int sum = 0, part;
    for (int i = 0; i < 3; i++) {
        reap(pids[i]);
        read(results[0], &part, sizeof(part));
        sum += part;
    }
    say("bytes that three readers got", "%d", sum);
    return 0;
}
