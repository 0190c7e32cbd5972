// host-test-sources: personality/linux/pid_map.c
// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Process numbers on the host: order, reuse, exhaustion.

#include "pid_map.h"

#include <stdio.h>
#include <stdlib.h>

static struct pid_map map = {.used = {1}};
static int failed;

static void check(const char *name, bool good) {
    printf("%s %s\n", good ? "ok" : "FAIL", name);
    failed |= !good;
}

int main(void) {
    bool good = true;
    struct pid_map fresh = {0};

    check("the_first_number_is_one", pid_map_take(&fresh, PID_MAP_SIZE) == 1);
    for (int n = 1; n < 1000; n++)
        good = good && pid_map_take(&map, PID_MAP_SIZE) == n;
    check("numbers_rise", good);
    pid_map_give_back(&map, 500);
    check("a_number_is_not_used_again_at_once", pid_map_take(&map, PID_MAP_SIZE) == 1000);

    good = true;
    for (int n = 1001; n < PID_MAP_SIZE; n++)
        good = good && pid_map_take(&map, PID_MAP_SIZE) == n;
    check("all_numbers_are_given_out", good);
    check("after_the_last_the_search_begins_anew", pid_map_take(&map, PID_MAP_SIZE) == 500);
    check("none_is_left", pid_map_take(&map, PID_MAP_SIZE) == 0);
    check("the_count_is_right", map.count == PID_MAP_SIZE - 1);
    pid_map_give_back(&map, 7);
    check("low_numbers_stay_reserved", pid_map_take(&map, PID_MAP_SIZE) == 0);
    pid_map_give_back(&map, 301);
    pid_map_give_back(&map, 300);
    check("both_ends_of_a_word", pid_map_take(&map, PID_MAP_SIZE) == 300 && pid_map_take(&map, PID_MAP_SIZE) == 301);

    struct pid_map few = {0};
    few.used[1] = 1ull << 63;
    few.used[7] = 1;
    check("the_next_number_in_use_is_found", pid_map_next_used(&few, 1) == 127 && pid_map_next_used(&few, 127) == 127 &&
                                                 pid_map_next_used(&few, 128) == 448 &&
                                                 pid_map_next_used(&few, 449) == 0);

    // Random use against a plain array.
    static bool used[PID_MAP_SIZE];
    struct pid_map m = {0};
    good = true;
    srand(2);
    for (int round = 0; round < 2000000 && good; round++) {
        if (rand() % 3 != 0) {
            int n = pid_map_take(&m, PID_MAP_SIZE);
            good = n == 0 || !used[n];
            used[n] = n != 0;
        } else {
            int n = rand() % PID_MAP_SIZE;
            if (n != 0 && used[n]) {
                used[n] = false;
                pid_map_give_back(&m, n);
            }
        }
    }
    check("no_number_has_two_owners", good);
    return failed;
}
