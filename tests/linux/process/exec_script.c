// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Scripts: how the #! line is taken apart and what the interpreter gets. The interpreter is this program.
#include "testing.h"

static char self[128];

static void script(const char *name, const char *format) {
    char text[600];
    snprintf(text, sizeof(text), format, self);
    file_make("s", text, 0755);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        char *const argv[] = {(char *)"zero", (char *)"one", (char *)"two", NULL};
        char *const envp[] = {(char *)"SHOW=1", NULL};
        execve("./s", argv, envp);
        say(name, "%s", error_name(errno));
        _exit(1);
    }
    say(name, "%s", status_text(reap(pid)));
}

int main(int argc, char **argv) {
    if (getenv("SHOW")) {
        for (int i = 0; i < argc; i++) {
            say("  got", "\"%s\"", strcmp(argv[i], argv[0]) == 0 && argv[0][0] == '/' ? "SELF" : argv[i]);
        }
        return argc;
    }
    snprintf(self, sizeof(self), "%s", argv[0]);
    script("plain", "#!%s\nbody\n");
    script("one argument", "#!%s -x\n");
    script("argument with spaces is one", "#!%s  a b  c \t \n");
    script("space before the interpreter", "#! \t%s x\n");
    script("no end of line", "#!%s y");
    script("carriage return stays", "#!%s\r\n");
    file_make("inner", "#!./s2 inner-argument\n", 0755);
    char text[300];
    snprintf(text, sizeof(text), "#!%s outer-argument\n", self);
    file_make("s2", text, 0755);
    script("script as interpreter", "#!./inner\n");

    // Linux reads 256 bytes of the file: a name that is cut there is refused, an argument that is cut is passed short.
    char pad[400];
    memset(pad, 'p', sizeof(pad));
    pad[sizeof(pad) - 1] = 0;
    snprintf(text, sizeof(text), "#!/%.280s\n", pad);
    file_make("long", text, 0755);
    char *const list[] = {(char *)"x", NULL};
    char *const envp[] = {(char *)"SHOW=1", NULL};
    say_call("interpreter name longer than the buffer", execve("./long", list, envp));
    MUST(mkdir("dir", 0755));
    MUST(chmod("s2", 0644));
    script("inner interpreter without permission", "#!./inner\n");

    int levels = 0;
    MUST(rename("s2", "level0"));
    snprintf(text, sizeof(text), "#!%s\n", self);
    file_make("level0", text, 0755);
    for (int i = 1; i <= 7; i++) {
        char name[32];
        snprintf(name, sizeof(name), "level%d", i);
        snprintf(text, sizeof(text), "#!./level%d\n", i - 1);
        file_make(name, text, 0755);
        pid_t pid = MUST(fork());
        if (pid == 0) {
            char *const none[] = {NULL};
            close(1);
            execve(name, list, none);
            _exit(errno == ELOOP ? 201 : 202);
        }
        int status = reap(pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 201) {
            levels = i;
            break;
        }
    }
    say("nesting refused with ELOOP at level", "%d", levels);
    return 0;
}
