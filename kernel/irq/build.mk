obj-y += call.c irq.c
