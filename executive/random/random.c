// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Random numbers: one pool that everything unpredictable is mixed into, and a generator for each processor that is keyed from it.
//
// The pool is a 256-bit key. Mixing xors 32 bytes into it and replaces it by the first half of the ChaCha20 block under it: nobody can run that backwards, and
// what an enemy mixes in does not cancel what he does not know. A generator's output is the ChaCha20 stream under its key, of which the first 32 bytes
// replace the key before the rest is handed out (fast key erasure), so that a later look into memory tells nothing of numbers given before. What is made beyond
// a small request is kept for the next ones, and wiped as it is given. Generators take a fresh key from the pool when its generation has moved: at the first
// seed, and then at most each RESEED_TIME when something was mixed in.
//
// Seeded means 256 bits by the sources' own estimates: the processor's source counts fully (as Linux does with random.trust_cpu), events and jitter
// count one bit where two differences in a row differ.
//
// Context: random_bytes and random_mix any; random_read threads.
// Locking: pool.lock (rank RANDOM) guards the pool; a generator belongs to its processor with interrupts off.

#include "chacha20.h"

#include <executive/random.h>

#include <arch/random.h>
#include <kernel/boot.h>
#include <kernel/cpu.h>
#include <kernel/lock.h>
#include <kernel/log.h>
#include <kernel/string.h>
#include <kernel/time.h>
#include <kernel/wait.h>

#define SEED_BITS     256u
#define OUTPUT_BLOCKS 4u
#define OUTPUT_MAX    (OUTPUT_BLOCKS * CHACHA20_BLOCK - CHACHA20_KEY) // bytes made at a time, interrupts off
#define SMALL_MAX     32u                                             // requests up to here are served from the stock
#define RESEED_TIME   (60 * NSEC_PER_SEC)
#define EVENT_WORDS   8u
#define JITTER_ROUNDS 2048u
#define JITTER_PAUSE  (10 * NSEC_PER_MSEC)

static struct {
    struct spinlock lock;
    /* lock: */
    uint8_t key[CHACHA20_KEY];
    uint32_t mixes;      // makes each block of the pool another one
    uint32_t bits;       // estimate, up to SEED_BITS
    nstime_t reseed_due; // when generation may move again
    /* atomic: */
    _Atomic uint32_t generation; // 0: not seeded
} pool = {.lock = SPINLOCK_INIT(LOCK_RANK_RANDOM)};

static struct generator {
    uint8_t key[CHACHA20_KEY];
    uint32_t generation;
    bool keyed;
    uint8_t left;              // bytes of stock not yet given: its first ones
    uint8_t stock[OUTPUT_MAX]; // made ahead for small requests
} aligned_to(ARCH_CACHE_LINE) generators[CONFIG_MAX_CPUS];

// Times of events that wait to be mixed in: one place a processor, interrupts off.
static struct event_pool {
    uint64_t words[EVENT_WORDS];
    uint32_t count, bits;
    uint64_t last, last_difference;
} aligned_to(ARCH_CACHE_LINE) event_pools[CONFIG_MAX_CPUS];

static struct waitq seed_waiters = WAITQ_INIT(seed_waiters);

bool random_seeded(void) {
    return atomic_load_explicit(&pool.generation, memory_order_acquire) != 0;
}

// [pool.lock]
static void pool_stir(const uint8_t *data, size_t n) {
    uint8_t block[CHACHA20_BLOCK];
    uint32_t nonce[3] = {0x6b72, (uint32_t)n, pool.mixes++};

    for (size_t i = 0; i < n; i++)
        pool.key[i] ^= data[i];
    chacha20_block(pool.key, 0, nonce, block);
    memcpy(pool.key, block, CHACHA20_KEY);
}

// [pool.lock] Moves the generation if it is time. True at the first seed.
static bool pool_credit(unsigned bits) {
    nstime_t now = clock_monotonic();
    uint32_t generation = atomic_load_explicit(&pool.generation, memory_order_relaxed);

    pool.bits = MIN(pool.bits + MIN(bits, SEED_BITS), SEED_BITS);
    if (pool.bits < SEED_BITS || (generation != 0 && now < pool.reseed_due))
        return false;
    pool.reseed_due = now + RESEED_TIME;
    atomic_store_explicit(&pool.generation, generation + 1 != 0 ? generation + 1 : 1, memory_order_release);
    return generation == 0;
}

// Mixes without waking anybody. True at the first seed.
static bool pool_mix(const void *data, size_t n, unsigned bits) {
    const uint8_t *bytes = data;
    irq_flags_t flags = spin_lock_irq(&pool.lock);

    for (size_t done = 0; done < n; done += CHACHA20_KEY)
        pool_stir(bytes + done, MIN(n - done, (size_t)CHACHA20_KEY));
    bool first = pool_credit(bits);
    spin_unlock_irq(&pool.lock, flags);
    return first;
}

void random_mix(const void *data, size_t n, unsigned entropy_bits) {
    struct {
        uint64_t cycles;
        nstime_t time;
    } moment = {arch_cycles(), clock_monotonic()};

    pool_mix(&moment, sizeof(moment), 0);
    if (pool_mix(data, n, entropy_bits))
        waitq_wake(&seed_waiters, UINT32_MAX, 0);
}

bool random_reseed(void) {
    irq_flags_t flags = spin_lock_irq(&pool.lock);
    uint32_t generation = atomic_load_explicit(&pool.generation, memory_order_relaxed);

    if (generation != 0)
        atomic_store_explicit(&pool.generation, generation + 1 != 0 ? generation + 1 : 1, memory_order_release);
    spin_unlock_irq(&pool.lock, flags);
    return generation != 0;
}

struct waitq *random_seed_waitq(void) {
    return &seed_waiters;
}

void random_event(uint32_t what) {
    irq_flags_t flags = arch_irq_save();
    struct event_pool *e = &event_pools[arch_cpu_id()];
    uint64_t now = arch_cycles(), difference = now - e->last;

    e->words[e->count % EVENT_WORDS] += (now ^ (uint64_t)what << 32) * 0x9e3779b97f4a7c15ull;
    e->bits += e->count > 1 && difference != e->last_difference;
    e->last = now;
    e->last_difference = difference;
    bool full = ++e->count % (8 * EVENT_WORDS) == 0, first = false;
    if (full) {
        first = pool_mix(e->words, sizeof(e->words), e->bits);
        e->bits = 0;
    }
    arch_irq_restore(flags);
    if (first)
        waitq_wake(&seed_waiters, UINT32_MAX, 0);
}

// A key for this processor's generator; the pool moves on, so that the key cannot be found from the pool's later state. [interrupts off]
static void generator_key(struct generator *g) {
    uint8_t block[CHACHA20_BLOCK];
    uint32_t nonce[3] = {0x6765, arch_cpu_id(), 0};

    spin_lock(&pool.lock);
    g->generation = atomic_load_explicit(&pool.generation, memory_order_relaxed);
    nonce[2] = pool.mixes++;
    chacha20_block(pool.key, 1, nonce, block);
    memcpy(pool.key, block, CHACHA20_KEY);
    spin_unlock(&pool.lock);
    memcpy(g->key, block + CHACHA20_KEY, CHACHA20_KEY);
    g->keyed = true;
    g->left = 0;
    memset(block, 0, sizeof(block));
}

// The stream's next n bytes. [interrupts off]
static void generator_stream(struct generator *g, uint8_t *to, size_t n) {
    static const uint32_t nonce[3];
    uint8_t blocks[OUTPUT_BLOCKS * CHACHA20_BLOCK];

    for (uint32_t i = 0; i * CHACHA20_BLOCK < CHACHA20_KEY + n; i++)
        chacha20_block(g->key, i, nonce, blocks + i * CHACHA20_BLOCK);
    memcpy(g->key, blocks, CHACHA20_KEY);
    memcpy(to, blocks + CHACHA20_KEY, n);
    memset(blocks, 0, sizeof(blocks));
    __asm__ volatile("" ::"r"(blocks) : "memory"); // the memset is not to be left out
}

static void generate(uint8_t *to, size_t n) {
    irq_flags_t flags = arch_irq_save();
    struct generator *g = &generators[arch_cpu_id()];

    if (!g->keyed || g->generation != atomic_load_explicit(&pool.generation, memory_order_acquire))
        generator_key(g);
    if (n > SMALL_MAX) {
        generator_stream(g, to, n);
    } else {
        if (g->left < n) {
            generator_stream(g, g->stock, OUTPUT_MAX);
            g->left = OUTPUT_MAX;
        }
        g->left -= (uint8_t)n;
        memcpy(to, g->stock + g->left, n);
        memset(g->stock + g->left, 0, n);
    }
    arch_irq_restore(flags);
}

void random_bytes(void *to, size_t n) {
    uint8_t *bytes = to;

    for (size_t done = 0; done < n; done += OUTPUT_MAX)
        generate(bytes + done, MIN(n - done, (size_t)OUTPUT_MAX));
}

// Counts how the time of a loop varies: caches, interrupts, other processors and the host are what makes it vary.
static void jitter_collect(void) {
    uint64_t last = arch_cycles();

    for (unsigned i = 0; i < JITTER_ROUNDS && !random_seeded(); i++) {
        random_event(i);
        for (unsigned spin = 0; spin < (last & 15); spin++)
            arch_pause();
        last = arch_cycles();
    }
}

static inv_status_t seed_wait(void) {
    inv_status_t status = INV_OK;

    while (!random_seeded() && status == INV_OK) {
        jitter_collect();
        WAIT_EVENT(&seed_waiters, random_seeded(), WAIT_INTERRUPTIBLE, deadline_after(JITTER_PAUSE), status);
        if (status == INV_ERR_TIMED_OUT)
            status = INV_OK;
    }
    return status;
}

inv_status_t random_read(void *to, size_t n, unsigned flags) {
    if (!random_seeded() && (flags & RANDOM_INSECURE) == 0) {
        inv_status_t status = flags & RANDOM_NONBLOCK ? INV_ERR_SHOULD_WAIT : seed_wait();
        if (status != INV_OK)
            return status;
    }
    random_bytes(to, n);
    return INV_OK;
}

static inv_status_t random_start(void) {
    uint64_t seed[4], rtc = platform_rtc_seconds();
    bool from_processor = true;

    random_mix(&rtc, sizeof(rtc), 0);
    random_mix(boot_info.cmdline, strnlen(boot_info.cmdline, sizeof(boot_info.cmdline)), 0);
    for (size_t i = 0; i < ARRAY_SIZE(seed) && from_processor; i++)
        from_processor = arch_random_seed(&seed[i]);
    if (from_processor)
        random_mix(seed, sizeof(seed), SEED_BITS);
    else
        log_info("random", "the processor has no source: seeding from events and jitter");
    return INV_OK;
}
BOOT_CALL("random", BOOT_STAGE_EXECUTIVE, random_start);
