// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Finds the deepest use of a kernel stack. Host program: reads the call graphs that gcc writes (-fcallgraph-info=su), adds
// frames along every path, and prints the deepest paths, recursions and what it could not follow.
//
//     stack LIMIT INDIRECT FILE.ci...
//
// INDIRECT names who is reached through a function pointer: lines "CALLER CALLEE...", each a shell pattern for functions'
// names; "!NAME" ends every path at a function that does not come back. An indirect call of a function that has no line
// is counted, and adds nothing. A recursion is followed once: its depth must be bounded by other means, which is why each
// is printed. Status 1 when a path is deeper than LIMIT bytes.

#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_ROOM = 256, SHOWN = 5, CALL_BYTES = 8 };

struct edge {
    size_t to;
    struct edge *next;
};

struct function {
    char *title; // "file.c:name" for a static function, "name" else
    const char *name;
    long frame, depth; // depth: -1 before it is known
    size_t deepest;    // the callee on the deepest path; own index: none
    bool visiting, dynamic, indirect, followed, defined;
    struct edge *calls;
};

static struct function *functions;
static size_t count, room;
static size_t *buckets;
enum { BUCKETS = 1 << 16 };
static int recursions;

static size_t hash(const char *text) {
    size_t h = 5381;

    while (*text != '\0') {
        h = h * 33 + (unsigned char)*text++;
    }
    return h % BUCKETS;
}

// Open addressing over indexes plus one.
static size_t function_find(const char *title) {
    size_t at = hash(title);

    while (buckets[at] != 0 && strcmp(functions[buckets[at] - 1].title, title) != 0) {
        at = (at + 1) % BUCKETS;
    }
    if (buckets[at] != 0) {
        return buckets[at] - 1;
    }
    if (count == room) {
        room = room ? 2 * room : 4096;
        functions = realloc(functions, room * sizeof(*functions));
    }
    if (functions == NULL || count >= BUCKETS / 2) {
        fprintf(stderr, "stack: too many functions\n");
        exit(2);
    }
    char *copy = strdup(title), *colon = strrchr(copy, ':');
    functions[count] = (struct function){
        .title = copy, .name = colon ? colon + 1 : copy, .depth = -1, .deepest = count};
    buckets[at] = ++count;
    return count - 1;
}

static void edge_add(size_t from, size_t to) {
    struct edge *e = malloc(sizeof(*e));

    if (e == NULL) {
        exit(2);
    }
    *e = (struct edge){to, functions[from].calls};
    functions[from].calls = e;
}

static bool quoted(const char *line, const char *key, char *out) {
    const char *at = strstr(line, key);

    if (at == NULL) {
        return false;
    }
    at += strlen(key);
    size_t length = strcspn(at, "\"");
    if (length >= NAME_ROOM) {
        return false;
    }
    memcpy(out, at, length);
    out[length] = '\0';
    return true;
}

static void line_read(const char *line) {
    char name[NAME_ROOM], to[NAME_ROOM];

    if (strncmp(line, "node:", 5) == 0 && quoted(line, "title: \"", name)) {
        const char *bytes = strstr(line, " bytes (");
        if (bytes == NULL) {
            return; // declared here, defined elsewhere
        }
        size_t index = function_find(name); // may move the table
        struct function *f = &functions[index];
        const char *number = bytes;
        while (number > line && number[-1] >= '0' && number[-1] <= '9') {
            number--;
        }
        f->frame = atol(number) + CALL_BYTES;
        f->defined = true;
        f->dynamic = strncmp(bytes, " bytes (dynamic)", 16) == 0;
    } else if (strncmp(line, "edge:", 5) == 0 && quoted(line, "sourcename: \"", name) &&
               quoted(line, "targetname: \"", to)) {
        size_t from = function_find(name);
        if (strcmp(to, "__indirect_call") == 0) {
            functions[from].indirect = true;
        } else {
            size_t target = function_find(to);
            edge_add(from, target);
        }
    }
}

static void graph_read(const char *path) {
    static char line[65536];
    FILE *in = fopen(path, "r");

    if (in == NULL) {
        printf("no call graph: %s\n", path); // the file did not compile, which the build says
        return;
    }
    while (fgets(line, sizeof(line), in) != NULL) {
        line_read(line);
    }
    fclose(in);
}

static void indirect_line(char *line) {
    char *rest = line, *caller = strtok_r(line, " \t\n", &rest);
    size_t known = count;

    if (caller == NULL || caller[0] == '#') {
        return;
    }
    for (size_t i = 0; caller[0] == '!' && i < known; i++) {
        if (fnmatch(caller + 1, functions[i].name, 0) == 0) {
            functions[i].calls = NULL;
            functions[i].indirect = false;
        }
    }
    for (char *callee; (callee = strtok_r(NULL, " \t\n", &rest)) != NULL;) {
        for (size_t i = 0; i < known; i++) {
            if (!functions[i].indirect || fnmatch(caller, functions[i].name, 0) != 0) {
                continue;
            }
            functions[i].followed = true;
            for (size_t j = 0; j < known; j++) {
                if (functions[j].defined && fnmatch(callee, functions[j].name, 0) == 0) {
                    edge_add(i, j);
                }
            }
        }
    }
}

static void indirect_read(const char *path) {
    char line[4096];
    FILE *in = fopen(path, "r");

    while (in != NULL && fgets(line, sizeof(line), in) != NULL) {
        indirect_line(line);
    }
    if (in != NULL) {
        fclose(in);
    }
}

static long depth_of(size_t index) {
    struct function *f = &functions[index];

    if (f->visiting) {
        return 0;
    }
    if (f->depth >= 0) {
        return f->depth;
    }
    f->visiting = true;
    long deepest = 0;
    for (struct edge *e = f->calls; e != NULL; e = e->next) {
        if (functions[e->to].visiting) {
            printf("recursion: %s calls %s\n", f->name, functions[e->to].name);
            recursions++;
            continue;
        }
        long depth = depth_of(e->to);
        if (depth > deepest) {
            deepest = depth;
            f->deepest = e->to;
        }
    }
    f->visiting = false;
    f->depth = f->frame + deepest;
    return f->depth;
}

static int deeper(const void *a, const void *b) {
    const struct function *x = &functions[*(const size_t *)a], *y = &functions[*(const size_t *)b];

    return x->depth < y->depth ? 1 : x->depth > y->depth ? -1 : 0;
}

static void path_print(size_t index) {
    printf("%ld bytes:", functions[index].depth);
    for (size_t i = index;; i = functions[i].deepest) {
        printf(" %s(%ld)", functions[i].name, functions[i].frame);
        if (functions[i].deepest == i) {
            break;
        }
    }
    printf("\n");
}

int main(int argc, char **argv) {
    if (argc < 4 || (buckets = calloc(BUCKETS, sizeof(*buckets))) == NULL) {
        fprintf(stderr, "usage: stack LIMIT INDIRECT FILE.ci...\n");
        return 2;
    }
    for (int i = 3; i < argc; i++) {
        graph_read(argv[i]);
    }
    indirect_read(argv[2]);

    bool *called = calloc(count, sizeof(*called));
    size_t *order = calloc(count, sizeof(*order)), roots = 0;
    if (called == NULL || order == NULL) {
        return 2;
    }
    int unfollowed = 0, dynamic = 0;
    for (size_t i = 0; i < count; i++) {
        depth_of(i);
        unfollowed += functions[i].indirect && !functions[i].followed;
        if (functions[i].dynamic) {
            printf("dynamic: the frame of %s has no bound\n", functions[i].name);
            dynamic++;
        }
        for (struct edge *e = functions[i].calls; e != NULL; e = e->next) {
            called[e->to] = called[e->to] || e->to != i;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (functions[i].defined && !called[i]) {
            order[roots++] = i;
        }
    }
    qsort(order, roots, sizeof(*order), deeper);
    for (size_t i = 0; i < roots && i < SHOWN; i++) {
        path_print(order[i]);
    }
    printf("%d recursions, %d functions with indirect calls that are not followed\n", recursions, unfollowed);
    return (roots > 0 && functions[order[0]].depth > atol(argv[1])) || dynamic > 0;
}
