obj-y += string.c memory.c number.c print.c rbtree.c hash.c status.c


# Loops of these files are what memcpy and memset are made of: they must not be turned into calls of them.
cflags-memory.c := -fno-builtin $(if $(findstring clang,$(CC)),,-fno-tree-loop-distribute-patterns)
cflags-string.c := -fno-builtin $(if $(findstring clang,$(CC)),,-fno-tree-loop-distribute-patterns)

host-test-y += rbtree_test.c string_test.c print_test.c
