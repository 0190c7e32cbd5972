// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// A server's loop (libinvar): receives at an endpoint, hands requests to the dispatcher of an interface, answers. Several threads may serve one endpoint, each with a
// struct inv_service and a reply object of its own.
#ifndef INVAR_SERVE_H
#define INVAR_SERVE_H

#include <invar/message.h>
#include <invar/parcel.h>

struct inv_service {
    inv_handle_t endpoint, reply; // rights RECEIVE
    // Turns the request into the answer; badge says through which connection it came. Usually calls inv_NAME_dispatch.
    void (*request)(struct inv_service *service, uint64_t badge, struct inv_parcel *parcel);
    // A packet: its type is the label of m's tag, its key m's badge. NULL: packets are dropped.
    void (*packet)(struct inv_service *service, const struct inv_message *m);
    void *context;
    bool stop; // set by request or packet: the loop ends when the answer has gone
};

// Serves until stop is set (INV_OK), or receiving fails: BAD_HANDLE, WRONG_TYPE, ACCESS, BAD_STATE, PEER_GONE (the endpoint is closed), INTERRUPTED.
inv_status_t inv_serve(struct inv_service *service);

#endif
