// host-test-sources: personality/linux/errno.c
// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Every status has an error number, and none is invented.

#include <personality/errno.h>
#include <personality/linux.h>

int printf(const char *format, ...);

int main(void) {
    static const int statuses[] = {
#define X(name, number, text) number,
        INV_STATUS_LIST(X)
#undef X
    };
    int failed = 0;

    for (unsigned i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        int64_t e = linux_result(statuses[i]);
        // EIO is also what an unknown status becomes: only I/O errors and lost peers may map to it.
        int good = statuses[i] == INV_OK
                       ? e == 0
                       : e < 0 && (e != -LINUX_EIO || statuses[i] == INV_ERR_IO || statuses[i] == INV_ERR_PEER_GONE);
        if (!good) {
            printf("FAIL status %d has no error number\n", statuses[i]);
            failed = 1;
        }
    }
    printf("%s every_status_has_an_error_number\n", failed ? "FAIL" : "ok");
    int unknown = linux_result(-1000) == -LINUX_EIO && linux_result(INT32_MIN) == -LINUX_EIO;
    printf("%s an_unknown_status_is_an_io_error\n", unknown ? "ok" : "FAIL");
    int success = linux_result(5) == 0;
    printf("%s success_is_zero\n", success ? "ok" : "FAIL");
    return failed || !unknown || !success;
}
