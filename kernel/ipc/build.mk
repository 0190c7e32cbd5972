# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
obj-y += call.c endpoint.c ipc_calls.c lease.c parcel.c receive.c reply.c
obj-y += binding.c channel.c event.c signals.c timer.c wait.c
