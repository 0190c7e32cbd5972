obj-y += timer.c clock.c
