/* SPDX-License-Identifier: Apache-2.0
 * Copyright The Invar Authors
 *
 * The life of a call (kernel/ipc, kernel/sched/call_fast.c), for spin: clients, servers, one of which calls another, and a supervisor that interrupts, revokes
 * and closes. docs/ipc.md says what is modelled, what is assumed and what is not. An inline bears the name of the function that it models; those of the
 * model alone begin with model_ (tools/check/model.py compares the lists).
 *
 * One statement is one atomic step of the code, as others can see it: what is done under a lock and read under it alone may share a statement; what is
 * read without the lock (call word, reply state, caller, receiving, a thread's state) is a statement of its own.
 *
 * Found by search: an assertion, or a thread that sleeps and that nobody will wake (an invalid end state: the supervisor closes everything in the end, so all
 * must end). -DBASIC, -DNESTED, -DSHARED, -DBUSY choose who takes part; -DFAULT_... plants a mistake.
 */
#define IDLE     0
#define QUEUED   1
#define SERVED   2
#define REPLYING 3
#define REPLIED  4
#define STATE(w) ((w) & 7)

#define FREE  0
#define ARMED 1
#define BOUND 2

#define NOBODY 255
#define LEFT   254 /* CALLER_LEFT */

#define OK          0
#define GONE        1 /* PEER_GONE */
#define TIMED_OUT   2
#define INTERRUPTED 3
#define BAD         4 /* BAD_HANDLE, BAD_STATE */
#define CANCELLED   5

#define RUNNING  0
#define SLEEPING 1

/* Memory: threads, endpoints, replies. What ended is free when all have left the epochs that they were in. */
#define THREADS   4
#define MEM_E(e)  (4 + (e))
#define MEM_R(r)  (6 + (r))
#define MEM       8
bool ended[MEM];
byte readers[MEM];
byte epochs; /* who is in one: interrupts or preemption off. The supervisor is bit 4 and up */
#define use(m) assert(!(ended[m] && readers[m] == 0))

/* threads */
byte st[THREADS], cw[THREADS], t_reply[THREADS], t_home[THREADS], parcel[THREADS], status_of[THREADS], from[THREADS], number[THREADS];
bool interruptible[THREADS], work[THREADS], receiving[THREADS], parked[THREADS], direct[THREADS], over[THREADS];
byte made[THREADS], dropped[THREADS]; /* parcels */
#define PARCEL(t) ((t) + 1) /* a request of t */
#define ANSWER(t) ((t) + 9) /* an answer to t */

/* endpoints */
bool locked[2], dead[2], revoked[2], connected[2], handle[2], packet[2]; /* packet: of reply PACKET_REPLY waits here */
byte callers[2], receivers[2], e_counts[2];

/* replies */
byte r_state[2], r_caller[2], r_call[2], r_endpoint[2], r_receiver[2], r_counts[2];
bool r_handle[2];
byte r_packet[2]; /* the endpoint at which its unblock packet waits, or NOBODY */

byte running; /* threads */
bool queue_locked; /* the run queue of the processor on which the fast path is */

#define bit(t) (1 << (t))
/* Under a lock, with at most one store that others see without it, unless a reply is named by several threads. */
#ifdef SHARED
#define region
#else
#define region atomic
#endif

/* --- epochs and counts --- */
inline model_epoch_enter() {
    epochs = epochs | bit(me)
}
inline model_epoch_exit() {
    d_step {
        epochs = epochs & ~bit(me);
        readers[0] = readers[0] & epochs; readers[1] = readers[1] & epochs; readers[2] = readers[2] & epochs; readers[3] = readers[3] & epochs;
        readers[4] = readers[4] & epochs; readers[5] = readers[5] & epochs; readers[6] = readers[6] & epochs; readers[7] = readers[7] & epochs
    }
}
/* An epoch is bounded: readers that enter later get in again only as new bits, which & epochs would keep; so those are never set in readers. */
inline model_defer(m) {
    assert(!ended[m]); /* once */
    readers[m] = epochs;
    ended[m] = true
}
inline model_put_endpoint(x) {
    d_step {
        if
        :: (x) != NOBODY ->
            assert(e_counts[x] > 0);
            e_counts[x]--;
            if
            :: e_counts[x] == 0 ->
                assert(callers[x] == 0 && receivers[x] == 0);
                model_defer(MEM_E(x))
            :: else
            fi
        :: else
        fi
    }
}
inline model_put_reply(x) {
    d_step {
        assert(r_counts[x] > 0);
        r_counts[x]--;
        put = NOBODY;
        if
        :: r_counts[x] == 0 ->
            put = r_endpoint[x];
            model_defer(MEM_R(x))
        :: else
        fi
    }
    model_put_endpoint(put)
}
inline model_lock(x) {
    atomic { !locked[x] -> use(MEM_E(x)); locked[x] = true }
}
inline model_unlock(x) {
    locked[x] = false
}

/* --- parcels: one owner, freed once --- */
inline model_parcel_free(t) {
    d_step {
        if
        :: parcel[t] != 0 ->
            dropped[t]++;
            if
            :: parcel[t] < 9 -> made[parcel[t] - 1]--
            :: else -> made[parcel[t] - 9]--
            fi;
            parcel[t] = 0
        :: else
        fi;
        dropped[t] = 0
    }
}
/* from's goes to to, who has none. */
inline model_parcel_move(to_, from_) {
    assert(parcel[to_] == 0);
    parcel[to_] = parcel[from_];
    parcel[from_] = 0
}

/* --- sleep and wake: kernel/include/kernel/wait.h --- */
inline model_sleep_prepare(can) {
    d_step { interruptible[me] = can; st[me] = SLEEPING }
}
inline model_sleep_finish() {
    st[me] = RUNNING
}
inline sched_wake(t) {
    if
    :: atomic { st[t] == SLEEPING && !queue_locked -> use(t); st[t] = RUNNING }
    :: atomic { st[t] != SLEEPING -> use(t) }
    fi
}
inline model_sleep(timed_) {
    if
    :: atomic { work[me] && interruptible[me] -> status = INTERRUPTED; st[me] = RUNNING }
    :: atomic { !(work[me] && interruptible[me]) -> parked[me] = !timed_ };
        if
        :: atomic { st[me] == RUNNING -> parked[me] = false; status = OK }
        :: atomic { timed_ && st[me] == SLEEPING && !queue_locked -> status = TIMED_OUT; st[me] = RUNNING }
        fi
    fi
}

/* --- steps on a call --- */
inline call_serve(c, s, x) { /* caller, server, reply; the endpoint's lock is held */
    d_step {
        use(c); use(s); use(MEM_R(x));
        assert(STATE(cw[c]) == QUEUED || STATE(cw[c]) == IDLE);
        model_parcel_move(s, c);
        status_of[s] = OK; from[s] = c; number[s] = cw[c] >> 3;
        t_reply[c] = x;
        r_call[x] = (cw[c] & 248) | SERVED
    }
    r_caller[x] = c;
    assert(r_state[x] == ARMED);
    r_state[x] = BOUND;
    cw[c] = r_call[x]
}
inline call_refuse(t, why_) {
    use(t);
    d_step { status_of[t] = why_; from[t] = NOBODY }
    cw[t] = (cw[t] & 248) | REPLIED
}
inline call_reply(x, c) {
    d_step {
        use(c);
        if
#ifdef FAULT_REPLY_ANY_NUMBER
        :: STATE(cw[c]) == SERVED
#else
        :: cw[c] == r_call[x]
#endif
            -> cw[c] = (cw[c] & 248) | REPLYING; won = true
        :: else -> won = false
        fi
    }
}
inline call_replied(c) {
    cw[c] = (cw[c] & 248) | REPLIED
}
inline call_queue(x) {
    callers[x] = callers[x] | bit(me);
    cw[me] = (cw[me] & 248) | QUEUED
}
inline call_cancel(x) { /* done */
    done = false;
    if
    :: atomic { STATE(cw[me]) == QUEUED -> model_epoch_enter() };
        region {
            model_lock(x);
            if
            :: STATE(cw[me]) == QUEUED ->
                callers[x] = callers[x] & ~bit(me);
                cw[me] = (cw[me] & 248) | IDLE;
                done = true
            :: else
            fi;
            model_unlock(x);
            model_epoch_exit()
        }
    :: else
    fi
}
inline call_abandon() { /* done */
    done = false;
    if
    :: STATE(cw[me]) == SERVED ->
        d_step {
            model_epoch_enter();
            if
            :: STATE(cw[me]) == SERVED -> cw[me] = (cw[me] & 248) | IDLE; done = true
            :: else
            fi
        }
#ifndef FAULT_ABANDON_STAYS
        if
        :: done ->
            atomic {
                use(MEM_R(t_reply[me]));
                if
                :: r_caller[t_reply[me]] == me -> r_caller[t_reply[me]] = LEFT
                :: else
                fi
            }
        :: else
        fi;
#endif
        model_epoch_exit()
    :: else
    fi
}
inline endpoint_post_unblock(x, y) {
    model_lock(x);
    if
#ifdef FAULT_UNBLOCK_LATE
    :: true ->
#else
    :: STATE(cw[me]) == SERVED ->
        assert(r_endpoint[y] == x && r_caller[y] == me || STATE(cw[me]) != SERVED || r_caller[y] == NOBODY);
#endif
        if
        :: dead[x] || r_packet[y] != NOBODY
        :: else ->
            if
            :: receivers[x] != 0 ->
                model_pick(receivers[x], s);
                receiver_take(s, x);
                d_step { status_of[s] = OK; from[s] = NOBODY; number[s] = y }
                r_state[t_reply[s]] = FREE;
                receiver_release(s);
                woken = s
            :: else ->
                d_step {
                    use(MEM_R(y));
                    if
                    :: r_counts[y] > 0 -> r_counts[y]++; r_packet[y] = x
                    :: else
                    fi
                }
            fi
        fi
    :: else
    fi;
    model_unlock(x);
    if
    :: woken != NOBODY -> sched_wake(woken); woken = NOBODY
    :: else
    fi
}
inline call_unblock() {
    model_epoch_enter();
    if
    :: STATE(cw[me]) == SERVED ->
#ifdef FAULT_ENDPOINT_UNPROTECTED
        atomic { y = t_reply[me]; use(MEM_R(y)); x = r_endpoint[y] }
        model_epoch_exit();
        endpoint_post_unblock(x, y)
#else
        atomic { y = t_reply[me]; use(MEM_R(y)) }
        atomic { use(MEM_R(y)); x = r_endpoint[y] }
        endpoint_post_unblock(x, y)
#endif
    :: else
    fi;
    model_epoch_exit()
}
inline call_wait(ep, timed) { /* result */
    why = OK; deadline = timed; can = true;
    do
    :: model_sleep_prepare(can);
        if
        :: atomic { STATE(cw[me]) == REPLIED -> model_sleep_finish(); result = OK }; break
        :: else
        fi;
        model_sleep(deadline);
        if
        :: direct[me] -> result = OK; break
        :: else
        fi;
        if
        :: status != OK && STATE(cw[me]) != REPLIED ->
            if
            :: why != OK ->
                call_abandon();
                if
                :: done -> result = why; break
                :: else -> deadline = false
                fi
            :: else ->
                call_cancel(ep);
                if
                :: done -> result = status; break
                :: else -> why = status; call_unblock(); deadline = true; can = false
                fi
            fi
        :: else
        fi
    od
}
/* The call is over for the caller: its outcome is its own, and one. */
inline call_return() {
    assert(STATE(cw[me]) == REPLIED);
    cw[me] = (cw[me] & 248) | IDLE;
    if
#ifndef FAULT_REFUSED_UNPACKED
    :: status_of[me] != OK -> assert(parcel[me] == 0 || parcel[me] == PARCEL(me)); model_parcel_free(me)
    :: else ->
#else
    :: true ->
#endif
        assert(parcel[me] == 0 || parcel[me] == ANSWER(me)); model_parcel_free(me)
    fi
}
inline call_begin(x) { /* result, s */
    s = NOBODY;
    if
    :: revoked[x] || dead[x] -> result = GONE
    :: else ->
        result = OK;
        if
        :: receivers[x] != 0 ->
            model_pick(receivers[x], s);
            receiver_take(s, x);
            call_serve(me, s, t_reply[s]);
            receiver_release(s)
        :: else -> atomic { call_queue(x) }
        fi
    fi
}
inline call_send(ep) { /* result */
    if
    :: !connected[ep] -> result = BAD
    :: atomic { connected[ep] -> model_epoch_enter(); cw[me] = ((cw[me] >> 3) + 1) << 3; made[me]++; parcel[me] = PARCEL(me); model_sleep_prepare(true) }
        model_lock(ep);
        call_begin(ep);
        model_unlock(ep);
        if
        :: s != NOBODY -> sched_wake(s)
        :: else
        fi;
        if
        :: result != OK -> model_sleep_finish()
        :: else
        fi;
        model_epoch_exit()
    fi
}
/* done: it was served, and has come back */
inline ipc_fast_call(ep) {
    done = false;
    if
    :: atomic { connected[ep] && !locked[ep] -> model_epoch_enter(); use(MEM_E(ep)); locked[ep] = true };
        if
        :: receivers[ep] != 0 && !revoked[ep] ->
            model_pick(receivers[ep], s);
#ifdef FAULT_FAST_WORK_BEFORE_LOCK
            seen = work[me];
#endif
            if
            :: atomic { parked[s] && !queue_locked -> queue_locked = true };
#ifndef FAULT_FAST_WORK_BEFORE_LOCK
                seen = work[me];
#endif
                if
                :: st[s] == SLEEPING && parked[s] && !seen ->
#ifndef FAULT_SHOWN_BEFORE_ASLEEP
                    model_sleep_prepare(true);
#endif
                    d_step { use(s); status_of[s] = OK; from[s] = me; number[s] = (cw[me] >> 3) + 1; y = t_reply[s]; use(MEM_R(y)) }
                    d_step { receivers[ep] = receivers[ep] & ~bit(s); r_receiver[y] = NOBODY; receiving[s] = false; t_reply[me] = y }
                    cw[me] = (((cw[me] >> 3) + 1) << 3) | SERVED;
                    r_call[y] = cw[me];
                    r_caller[y] = me;
                    assert(r_state[y] == ARMED);
                    r_state[y] = BOUND;
                    model_unlock(ep);
                    d_step {
#ifdef FAULT_SHOWN_BEFORE_ASLEEP
                        interruptible[me] = true; st[me] = SLEEPING;
#endif
                        parked[me] = true; direct[s] = true; parked[s] = false; st[s] = RUNNING
                    }
                    queue_locked = false;
                    done = true
                :: else -> queue_locked = false; model_unlock(ep)
                fi
            :: else -> model_unlock(ep)
            fi
        :: else -> model_unlock(ep)
        fi;
        model_epoch_exit()
    :: else
    fi
}
/* Parked: by the fast path or not, it goes on where it waits (ipc_resume). */
inline sys_call(ep, timed) {
    done = false;
    if
    :: !timed -> ipc_fast_call(ep)
    :: true
    fi;
    if
    :: done ->
        st[me] == RUNNING; /* another has the processor */
        if
        :: direct[me] -> result = OK
        :: else -> parked[me] = false; call_wait(ep, false)
        fi
    :: else ->
        call_send(ep);
        if
        :: result == OK -> call_wait(ep, timed)
        :: else
        fi
    fi;
    if
    :: result == OK && direct[me] -> direct[me] = false
    :: result == OK && !direct[me] -> call_return(); result = status_of[me]
    :: else ->
        assert(parcel[me] == 0 || parcel[me] == PARCEL(me)); /* its own, or the server's by now */
        model_parcel_free(me); from[me] = NOBODY
    fi;
    assert(result != OK || (from[me] == me && number[me] == cw[me] >> 3)); /* no other's answer, nor a late one */
    assert(STATE(cw[me]) == IDLE);
    from[me] = NOBODY
}

/* --- receivers --- */
inline model_pick(set, into) { /* the order is of no matter to what is shown */
    if
    :: (set) & 1 -> into = 0
    :: (set) & 2 -> into = 1
    :: (set) & 4 -> into = 2
    :: (set) & 8 -> into = 3
    fi
}
inline receiver_take(t, x) {
    d_step {
        use(t);
        assert(receiving[t]);
        receivers[x] = receivers[x] & ~bit(t);
#ifndef FAULT_RECEIVER_LATE
        use(MEM_R(t_reply[t]));
        r_receiver[t_reply[t]] = NOBODY
#endif
    }
}
inline receiver_release(t) {
#ifdef FAULT_RECEIVER_LATE
    r_receiver[t_reply[t]] = NOBODY;
#endif
    receiving[t] = false
}
inline receiver_refuse(x, t, why_) {
    receiver_take(t, x);
    assert(r_state[t_reply[t]] == ARMED);
    r_state[t_reply[t]] = FREE;
    d_step { status_of[t] = why_; from[t] = NOBODY; number[t] = NOBODY }
    receiver_release(t)
}
inline endpoint_unpost(x, y) {
    model_lock(x);
    gone = r_packet[y] == x;
    r_packet[y] = (gone -> NOBODY : r_packet[y]);
    model_unlock(x);
    if
    :: gone -> model_put_reply(y); gone = false
    :: else
    fi
}
inline reply_arm(y, x) { /* won, old */
    d_step {
        use(MEM_R(y));
        if
        :: r_state[y] == FREE -> r_state[y] = ARMED; won = true
        :: else -> won = false
        fi
    }
    old = NOBODY;
    if
    :: won && r_endpoint[y] != x ->
        if
        :: r_endpoint[y] != NOBODY -> old = r_endpoint[y]; endpoint_unpost(old, y)
        :: else
        fi;
        atomic { e_counts[x]++; r_endpoint[y] = x }
    :: else
    fi
}
inline reply_disarm(y) {
    r_state[y] = FREE
}
inline reply_send(y) { /* to */
    to = NOBODY;
    if
    :: r_state[y] == BOUND ->
        atomic { c = r_caller[y]; r_caller[y] = NOBODY }
        won = false;
        if
        :: c != NOBODY && c != LEFT -> call_reply(y, c)
        :: else
        fi;
        if
        :: c == NOBODY
        :: c != NOBODY && !won -> reply_disarm(y)
        :: c != NOBODY && won ->
#ifdef FAULT_WAKE_BEFORE_REPLIED
            sched_wake(c);
#endif
#ifndef FAULT_WORDS_AFTER_JOIN
            d_step { assert(STATE(cw[c]) == REPLYING); status_of[c] = OK; from[c] = from[me]; number[c] = number[me] }
#endif
            d_step { assert(parcel[c] == 0); made[c]++; parcel[c] = ANSWER(c) }
            reply_disarm(y);
#ifndef FAULT_WORDS_AFTER_JOIN
            call_replied(c);
#endif
            to = c
        fi
    :: else
    fi
}
inline packet_receive(x) { /* gone: there was one */
    if
    :: r_packet[0] == x -> d_step { r_packet[0] = NOBODY; status_of[me] = OK; from[me] = NOBODY; number[me] = 0; gone = true }
    :: r_packet[1] == x -> d_step { r_packet[1] = NOBODY; status_of[me] = OK; from[me] = NOBODY; number[me] = 1; gone = true }
    :: else -> gone = false
    fi
}
inline receive_locked(x, y) { /* result, waits, c, gone */
    result = OK; waits = false; c = NOBODY; gone = false;
    if
#ifndef FAULT_CLOSED_UNSEEN
    :: !r_handle[y] -> reply_disarm(y); result = BAD
    :: else ->
#else
    :: true ->
#endif
        if
        :: r_packet[y] == x -> d_step { r_packet[y] = NOBODY; r_counts[y]--; assert(r_counts[y] > 0) }
        :: else
        fi;
        packet_receive(x);
        if
        :: gone -> reply_disarm(y)
        :: !gone && callers[x] != 0 ->
            model_pick(callers[x], c);
            callers[x] = callers[x] & ~bit(c);
            call_serve(c, me, y)
        :: !gone && callers[x] == 0 && dead[x] -> reply_disarm(y); result = GONE
        :: else ->
            d_step { t_reply[me] = y; r_receiver[y] = me; receiving[me] = true; receivers[x] = receivers[x] | bit(me); waits = true }
        fi
    fi
}
inline receive_cancel(x) { /* done */
    region {
        model_lock(x);
        model_epoch_enter();
        done = receiving[me];
        if
        :: done -> receiver_take(me, x); reply_disarm(t_reply[me]); receiver_release(me)
        :: else
        fi;
        model_unlock(x);
        model_epoch_exit()
    }
}
inline receive_wait(x) { /* result */
    do
    :: model_sleep_prepare(true);
        if
        :: atomic { !receiving[me] -> model_sleep_finish(); result = status_of[me] }; break
        :: else
        fi;
        model_sleep(false);
        if
        :: direct[me] -> direct[me] = false; result = OK; break
        :: else
        fi;
        if
        :: status != OK -> receive_cancel(x); if :: done -> result = status; break :: else fi
        :: else
        fi
    od
}
inline receive(x, y, answers) { /* result */
    model_sleep_prepare(true);
    model_epoch_enter();
    to = NOBODY;
    if
    :: answers -> reply_send(y)
    :: else
    fi;
    waits = false; gone = false; gave = NOBODY;
    reply_arm(y, x);
    if
    :: won -> 
        model_lock(x);
        receive_locked(x, y);
        if
        :: gone && number[me] != NOBODY -> gave = number[me]
        :: else
        fi;
        model_unlock(x)
    :: else -> result = BAD
    fi;
#ifdef FAULT_WORDS_AFTER_JOIN
    if
    :: to != NOBODY -> d_step { status_of[to] = OK; from[to] = from[me]; number[to] = number[me] } call_replied(to)
    :: else
    fi;
#endif
    if
    :: !waits -> model_sleep_finish()
    :: else
    fi;
    if
    :: to != NOBODY -> sched_wake(to)
    :: else
    fi;
    model_epoch_exit();
    if
    :: gave != NOBODY -> model_put_reply(gave)
    :: else
    fi;
    model_put_endpoint(old)
}
inline ipc_fast_reply_receive(x, y) { /* done: went to sleep among the receivers */
    done = false;
    if
    :: atomic { handle[x] && r_handle[y] && r_endpoint[y] == x && !locked[x] -> model_epoch_enter(); use(MEM_E(x)); use(MEM_R(y)); locked[x] = true };
        c = r_caller[y];
        if
        :: callers[x] == 0 && r_packet[0] != x && r_packet[1] != x && !dead[x] && r_handle[y] && c != NOBODY && c != LEFT ->
            if
            :: atomic { !queue_locked -> queue_locked = true };
                if
                :: d_step { parked[c] && st[c] == SLEEPING && !work[me] && cw[c] == r_call[y] && r_caller[y] == c -> r_caller[y] = NOBODY };
#ifndef FAULT_SHOWN_BEFORE_ASLEEP
                    model_sleep_prepare(true);
#endif
                    d_step { use(c); assert(parcel[c] == 0); status_of[c] = OK; from[c] = from[me]; number[c] = number[me] }
                    cw[c] = cw[c] & 248;
                    r_receiver[y] = me;
                    r_state[y] = ARMED;
                    d_step { t_reply[me] = y; receiving[me] = true; receivers[x] = receivers[x] | bit(me) }
                    model_unlock(x);
                    d_step {
#ifdef FAULT_SHOWN_BEFORE_ASLEEP
                        interruptible[me] = true; st[me] = SLEEPING;
#endif
                        parked[me] = true; direct[c] = true; parked[c] = false; st[c] = RUNNING
                    }
                    queue_locked = false;
                    done = true
                :: else -> queue_locked = false; model_unlock(x)
                fi
            :: else -> model_unlock(x)
            fi
        :: else -> model_unlock(x)
        fi;
        model_epoch_exit()
    :: else
    fi
}
/* receive, or reply_receive */
inline sys_reply_receive(x, y, answers) {
    done = false;
    if
    :: answers -> ipc_fast_reply_receive(x, y)
    :: true
    fi;
    if
    :: done ->
        st[me] == RUNNING;
        if
        :: direct[me] -> direct[me] = false; result = OK
        :: else -> parked[me] = false; receive_wait(x)
        fi
    :: else ->
        atomic {
            if
            :: handle[x] && r_handle[y] -> e_counts[x]++; r_counts[y]++; result = OK
            :: else -> result = BAD
            fi
        }
        if
        :: result == OK ->
            endpoint_join(x);
            receive(x, y, answers);
            model_put_reply(y);
            model_put_endpoint(x);
            if
            :: result == OK && waits -> receive_wait(x)
            :: else
            fi
        :: else
        fi
    fi
}
inline endpoint_join(x) {
    if
    :: t_home[me] != x -> 
        atomic { if :: (x) != NOBODY -> e_counts[x]++ :: else fi; put = t_home[me]; t_home[me] = x }
        model_put_endpoint(put)
    :: else
    fi
}

/* --- ends --- */
inline endpoint_flush_one(x) { /* gone: there was something */
    gone = false; woken = NOBODY; gave = NOBODY;
    region {
    model_lock(x);
    model_epoch_enter();
    dead[x] = true;
    if
    :: receivers[x] != 0 -> model_pick(receivers[x], s); receiver_refuse(x, s, GONE); woken = s; gone = true
    :: receivers[x] == 0 && callers[x] != 0 ->
        model_pick(callers[x], s);
        callers[x] = callers[x] & ~bit(s);
        call_refuse(s, GONE);
        woken = s; gone = true
    :: receivers[x] == 0 && callers[x] == 0 && r_packet[0] == x -> r_packet[0] = NOBODY; gave = 0; gone = true
    :: receivers[x] == 0 && callers[x] == 0 && r_packet[0] != x && r_packet[1] == x -> r_packet[1] = NOBODY; gave = 1; gone = true
    :: else
    fi;
    model_unlock(x)
    }
    if
    :: woken != NOBODY -> sched_wake(woken); woken = NOBODY
    :: else
    fi;
    model_epoch_exit();
    if
    :: gave != NOBODY -> model_put_reply(gave)
    :: else
    fi
}
inline endpoint_close(x) {
    handle[x] = false;
    do
    :: endpoint_flush_one(x);
        if
        :: !gone -> break
        :: else
        fi
    od;
    model_put_endpoint(x)
}
inline connection_revoke(x) {
    revoked[x] = true;
    do
    :: region {
        model_lock(x);
        model_epoch_enter();
        s = NOBODY;
        if
        :: callers[x] != 0 ->
            model_pick(callers[x], s);
            callers[x] = callers[x] & ~bit(s);
            call_refuse(s, GONE)
        :: else
        fi;
        model_unlock(x)
        }
        if
        :: s != NOBODY -> sched_wake(s); model_epoch_exit()
        :: else -> model_epoch_exit(); break
        fi
    od
}
inline reply_dismiss(y) {
    woken = NOBODY;
#ifndef FAULT_ENDPOINT_UNPROTECTED
    model_epoch_enter();
#endif
    x = r_endpoint[y];
    if
    :: x != NOBODY ->
        model_lock(x);
        if
        :: r_state[y] == ARMED && r_receiver[y] != NOBODY ->
            s = r_receiver[y];
            use(s);
            if
            :: receiving[s] && t_reply[s] == y -> receiver_refuse(x, s, BAD); woken = s
            :: else
            fi
        :: else
        fi;
        model_unlock(x);
        if
        :: woken != NOBODY -> sched_wake(woken); woken = NOBODY
        :: else
        fi
    :: else
    fi;
    model_epoch_exit()
}
inline reply_drop(y) {
    model_epoch_enter();
    atomic { c = r_caller[y]; r_caller[y] = NOBODY }
    won = false;
    if
    :: c != NOBODY && c != LEFT -> call_reply(y, c)
    :: else
    fi;
    if
    :: won -> call_refuse(c, GONE); sched_wake(c)
    :: else
    fi;
    model_epoch_exit()
}
inline reply_close(y) {
    r_handle[y] = false;
    reply_dismiss(y);
    reply_drop(y);
    /* R3: nobody waits with it, no call stands on it */
    assert(r_receiver[y] == NOBODY || !receiving[r_receiver[y]] || t_reply[r_receiver[y]] != y);
    model_put_reply(y)
}
inline sched_interrupt(t) {
    work[t] = true;
    if
    :: st[t] == SLEEPING ->
        if
        :: atomic { interruptible[t] && st[t] == SLEEPING && !queue_locked -> st[t] = RUNNING } /* the supervisor counts it */
        :: atomic { !interruptible[t] || st[t] != SLEEPING -> skip }
        fi
    :: else
    fi;
#ifndef FAULT_INTERRUPT_LOOKS_ONCE
    atomic { !queue_locked -> if :: st[t] == SLEEPING && interruptible[t] -> st[t] = RUNNING :: else fi }
#endif
}
inline ipc_thread_exit() {
    endpoint_join(NOBODY);
    model_parcel_free(me);
    d_step { over[me] = true; running--; model_defer(me) }
}

#define LOCALS \
    byte status, result, why, s = NOBODY, c = NOBODY, x, y, to = NOBODY, old = NOBODY, put = NOBODY, gave = NOBODY, woken = NOBODY; \
    bool deadline, can, won, done, gone, waits, seen;

proctype client(byte me; byte ep; byte calls; bool timed) {
    LOCALS
    do
    :: calls > 0 -> sys_call(ep, timed); calls--
    :: else -> break
    od;
    ipc_thread_exit()
}

/* next: an endpoint that it calls for each call that it serves, or NOBODY */
proctype server(byte me; byte ep; byte rp; byte next) {
    LOCALS
    bool answers;
    byte c_from, c_number;
    do
    :: sys_reply_receive(ep, rp, answers);
        answers = false;
        if
        :: result != OK -> break
        :: else
        fi;
        model_parcel_free(me);
        if
        :: from[me] != NOBODY ->
            answers = true;
#ifdef BUSY
            (STATE(cw[from[me]]) != SERVED || cw[from[me]] >> 3 != number[me] || over[from[me]]); /* answers nobody who does not leave */
#endif
            if
            :: next != NOBODY ->
                d_step { c_from = from[me]; c_number = number[me] }
                sys_call(next, false);
                d_step { from[me] = c_from; number[me] = c_number; c_from = 0; c_number = 0 }
            :: else
            fi
        :: else
        fi
    od;
    ipc_thread_exit()
}

proctype supervisor(byte me) {
    LOCALS
#ifdef BUSY
    sched_interrupt(0);
    over[0];
#else
#ifdef REVOKE
    connection_revoke(0);
#endif
#ifdef INTERRUPT
    sched_interrupt(0);
#endif
#ifdef CLOSE
    reply_close(0);
#endif
#endif
    connected[0] = false;
    model_put_endpoint(0); /* the connection's */
    endpoint_close(0);
#if defined(NESTED) || defined(SHARED)
    connected[1] = false;
    model_put_endpoint(1);
    endpoint_close(1);
#endif
    if
    :: r_handle[0] -> reply_close(0)
    :: else
    fi;
#ifdef NESTED
    reply_close(1);
#endif
    running == 0;
    assert(made[0] == 0 && made[1] == 0 && made[2] == 0 && made[3] == 0);
    assert(ended[MEM_E(0)] && ended[MEM_R(0)])
}

init {
    d_step {
        byte i = 0;
        do
        :: i < 2 ->
            r_caller[i] = NOBODY; r_receiver[i] = NOBODY; r_endpoint[i] = NOBODY; r_packet[i] = NOBODY; r_handle[i] = true; r_counts[i] = 1;
            handle[i] = true; connected[i] = true; e_counts[i] = 2; i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < THREADS -> t_home[i] = NOBODY; from[i] = NOBODY; i++
        :: else -> break
        od;
        i = 0
    }
    atomic {
#ifdef ONE
        running = 2;
        run client(0, 0, 1, true);
        run server(2, 0, 0, NOBODY);
#endif
#ifdef TWO
        running = 3;
        run client(0, 0, 1, false);
        run client(1, 0, 1, false);
        run server(2, 0, 0, NOBODY);
#endif
#ifdef AGAIN
        running = 2;
        run client(0, 0, 2, true);
        run server(2, 0, 0, NOBODY);
#endif
#ifdef NESTED
        running = 4;
        run client(0, 0, 1, true);
        run client(1, 0, 1, false);
        run server(2, 0, 0, 1);
        run server(3, 1, 1, NOBODY);
#endif
#ifdef SHARED
        running = 3;
        run client(0, 0, 1, true);
        run server(2, 0, 0, NOBODY);
        run server(3, 1, 0, NOBODY);
#endif
#ifdef BUSY
        running = 2;
        run client(0, 0, 1, false);
        run server(2, 0, 0, NOBODY);
#endif
        run supervisor(4)
    }
}
