// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// objfs: the namespace as a file system: directories, links, descriptions; names that come and go; who may look.
#define _GNU_SOURCE
#include "testing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

static inv_handle_t root;

static bool read_file(const char *path, char *text, size_t size) {
    int fd = open(path, O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, text, size - 1) : -1;
    text[n > 0 ? n : 0] = '\0';
    close(fd);
    return n >= 0;
}

static unsigned entries_of(const char *path, const char *wanted, unsigned char type) {
    DIR *d = opendir(path);
    unsigned found = 0;
    for (struct dirent *e; d && (e = readdir(d));)
        found += strcmp(e->d_name, wanted) == 0 && e->d_type == type;
    if (d)
        closedir(d);
    return found;
}

static void objects_are_files(void) {
    inv_handle_t d, o;
    struct stat st;
    char text[4096], line[64];
    uint32_t type, rights;
    uint64_t identity;
    CHECK_OK(inv_directory_create(test_job, &d));
    CHECK_OK(inv_vmo_create(test_job, 4096, 0, &o));
    CHECK(stat("/invar/d", &st) != 0 && errno == ENOENT); // and this is not remembered
    CHECK_OK(inv_directory_insert(root, d, "d", 1, 0));
    CHECK_OK(inv_directory_insert(d, o, "vmo", 3, 0));
    CHECK_OK(inv_link_create(d, test_job, "link", 4, "/types/token", 12));
    CHECK_OK(inv_handle_info(o, &type, &rights, &identity));
    CHECK(stat("/invar/d", &st) == 0 && S_ISDIR(st.st_mode));
    CHECK(stat("/invar/d/vmo", &st) == 0 && S_ISREG(st.st_mode) && st.st_ino == identity);
    CHECK(entries_of("/invar", "d", DT_DIR) == 1 && entries_of("/invar", ".", DT_DIR) == 1);
    CHECK(entries_of("/invar/d", "vmo", DT_REG) == 1 && entries_of("/invar/d", "link", DT_LNK) == 1);
    CHECK(read_file("/invar/d/vmo", text, sizeof(text)));
    snprintf(line, sizeof(line), "type: vmo\nid: %lu\npath: /d/vmo\n", (unsigned long)identity);
    CHECK(strncmp(text, line, strlen(line)) == 0);
    ssize_t n = readlink("/invar/d/link", text, sizeof(text));
    CHECK(n == 14 && memcmp(text, "../types/token", 14) == 0);
    CHECK(read_file("/invar/d/link", text, sizeof(text)) && strncmp(text, "type: type\n", 11) == 0);
    CHECK(open("/invar/d/vmo", O_WRONLY) == -1 && errno == EACCES);
    CHECK(open("/invar/d/new", O_CREAT | O_WRONLY, 0600) == -1);
    CHECK(mkdir("/invar/d/new", 0700) == -1 && unlink("/invar/d/vmo") == -1);
    int held = open("/invar/d/vmo", O_RDONLY);
    CHECK(held >= 0);
    CHECK_OK(inv_handle_close(o)); // a temporary name
    CHECK(stat("/invar/d/vmo", &st) != 0 && errno == ENOENT);
    CHECK(read(held, text, sizeof(text)) > 0 && strstr(text, "\npath: \n")); // who has it open keeps the object
    close(held);
    CHECK_OK(inv_vmo_create(test_job, 4096, 0, &o)); // another object under the same name
    CHECK_OK(inv_directory_insert(d, o, "vmo", 3, 0));
    CHECK(stat("/invar/d/vmo", &st) == 0 && st.st_ino != identity);
    CHECK_OK(inv_handle_close(o));
    CHECK_OK(inv_handle_close(d));
    CHECK(stat("/invar/d", &st) != 0);
}

static void security_holds_for_files(void) {
    const struct inv_security_entry nobody = {INV_SECURITY_WHO_ANYBODY, 0, 0};
    inv_handle_t d;
    CHECK_OK(inv_directory_create(test_job, &d));
    CHECK_OK(inv_object_set_security(d, 0, 0, &nobody, sizeof(nobody)));
    CHECK_OK(inv_directory_insert(root, d, "closed", 6, 0));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        char text[64];
        CHECK(setresuid(1000, 1000, 1000) == 0);
        CHECK(entries_of("/invar", "types", DT_DIR) == 1 && read_file("/invar/types/job", text, sizeof(text)));
        CHECK(opendir("/invar/closed") == NULL && errno == EACCES);
        CHECK(access("/invar/closed/x", F_OK) == -1 && errno == EACCES);
        fflush(stdout);
        _exit(test_failures > 0);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(entries_of("/invar/closed", ".", DT_DIR) == 1); // root
    inv_handle_close(d);
}

int main(void) {
    struct statfs fs;
    test_begin();
    CHECK_OK(inv_bootstrap(INV_BOOTSTRAP_KIND_NAMESPACE, &root));
    CHECK((mkdir("/invar", 0755) == 0 || errno == EEXIST) && mount("objfs", "/invar", "objfs", 0, NULL) == 0);
    CHECK(statfs("/invar", &fs) == 0 && fs.f_namelen == INV_NAME_MAX);
    objects_are_files();
    security_holds_for_files();
    CHECK(umount("/invar") == 0);
    return test_end();
}
