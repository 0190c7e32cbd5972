# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors

obj-y += event_memory.c counter.c wall_watch.c timer_file.c epoll.c epoll_nest.c
