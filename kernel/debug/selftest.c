// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Runs the self-tests that modules registered with SELFTEST (linker set .selftests), in the boot thread, after everything has been set up. The output is
// read by the test command: one line "selftest: NAME ok|FAILED" each, and a count at the end.

#include <kernel/debug.h>
#include <kernel/log.h>
#include <kernel/string.h>
#include <kernel/time.h>

#define SLOW_TEST (2 * NSEC_PER_SEC)

extern const struct selftest selftests_start[], selftests_end[];

// True if the name begins with one of the prefixes, which are separated by commas. No prefix at all: every name does.
static bool selftest_wanted(const char *name, const char *prefixes) {
    if (prefixes == NULL || prefixes[0] == '\0')
        return true;
    for (const char *p = prefixes; *p != '\0';) {
        const char *comma = strchr(p, ',');
        size_t n = comma != NULL ? (size_t)(comma - p) : strlen(p);

        if (n > 0 && strncmp(name, p, n) == 0)
            return true;
        p += n + (comma != NULL);
    }
    return false;
}

void selftest_report(const char *expression, const char *file, int line) {
    log_error("selftest", "check failed: %s, %s:%d", expression, file, line);
}

bool selftest_run_all(const char *prefix) {
    unsigned passed = 0, failed = 0;

    for (const struct selftest *t = selftests_start; t < selftests_end; t++) {
        if (!selftest_wanted(t->name, prefix))
            continue;
        nstime_t start = clock_monotonic();
        bool ok = t->fn();
        nstime_t took = clock_monotonic() - start;

        log_write(LOG_NOTICE, "selftest", "%s %s", t->name, ok ? "ok" : "FAILED");
        if (took > SLOW_TEST)
            log_warning("selftest", "%s took %lu ms", t->name, (unsigned long)(took / NSEC_PER_MSEC));
        passed += ok;
        failed += !ok;
    }
    log_write(LOG_NOTICE, "selftest", "%u passed, %u failed", passed, failed);
    return failed == 0;
}
