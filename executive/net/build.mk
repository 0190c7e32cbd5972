# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors

obj-y += socket.c option.c
obj-y += unix.c unix_connect.c unix_datagram.c unix_flight.c unix_message.c unix_name.c unix_show.c unix_stream.c
obj-$(CONFIG_SELFTEST) += unix_selftest.c
