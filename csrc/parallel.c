/* parallel.c - workers that share out the chunks of a call: the only file that says OpenMP. */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* sched_getcpu */
#endif
#include "parallel.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(_OPENMP)
#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

/* A region of OpenMP ends when the last of its threads has come to its end. On a machine that is
 * busy with something else a thread may not have a core for milliseconds, and then the call takes
 * many times what one thread would. So a region does not end here: its threads are workers, who
 * wait in it for offers. A caller does itself what no worker has claimed, and waits only for the
 * chunks that workers have in their hands. */
enum { LINE = 64, OFFERS = 8, STRETCHES = 16, WORKERS = 256 };

/* Chunks next .. end - 1, on a cache line of their own. Each worker begins with a stretch, the same
 * in each call of the same size: its core's cache still has what it read and wrote there. Then it
 * helps with the others. */
typedef struct stretch {
    _Alignas(LINE) atomic_ptrdiff_t next;
    ptrdiff_t end;
} stretch;

/* A job that is shared out. */
typedef struct offer {
    _Alignas(LINE) atomic_int taken; /* by a caller, for its job */
    /* How many workers are inside, and above that the size of the team, while they may enter. */
    _Alignas(LINE) atomic_uint open;
    atomic_int core; /* the caller's */
    co_chunk *work;
    void *job;
    int n;
    stretch stretches[STRETCHES];
} offer;
enum { SIZE = 16, INSIDE = (1 << SIZE) - 1 };

static offer offers[OFFERS];
static _Alignas(LINE) atomic_uint news; /* the offers that there have been */

/* A worker that has nothing to do stays awake for a while, since it takes 50 us to come back. But
 * what it waits away of its core a busy machine will not give it when there is work. So a worker
 * that was put off its core while it waited, or came late when it was called, soon sleeps. */
static double awake = 4e-3;      /* seconds that it waits; a nap if OMP_WAIT_POLICY is passive */
static const double nap = 50e-6; /* when it is wary */
static const double wary = 1;    /* seconds that it is, after a sign of others */
static const double late = 1e-3; /* between two looks at the clock, or call and look */

typedef struct worker {
    _Alignas(LINE) atomic_int asleep;
    double called; /* when it was woken */
    pthread_mutex_t lock;
    pthread_cond_t call;
    double wary_until;
} worker;
static worker workers[WORKERS]; /* 1 .. hired, as the workers of a team */
static atomic_int hired;
static pthread_mutex_t hiring = PTHREAD_MUTEX_INITIALIZER;
static atomic_int forked; /* this process is a child of one that had hired */

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#if defined(__linux__)
static int this_core(void) { return sched_getcpu(); }

/* Moves this thread to another core, if it may use one. */
static void leave_core(int core) {
    cpu_set_t all, others;
    if (sched_getaffinity(0, sizeof all, &all)) return;
    others = all;
    CPU_CLR(core, &others);
    if (CPU_COUNT(&others) && !sched_setaffinity(0, sizeof others, &others))
        sched_setaffinity(0, sizeof all, &all);
}

/* Where OpenMP binds threads to places, a worker goes to the place of its number. OpenMP takes
 * whoever opens a region for a first thread, and binds it to the first place, where callers are. */
static void settle(int id) {
    const int places = omp_get_num_places(), place = places > 0 ? id % places : 0;
    int cores[CPU_SETSIZE];
    if (places <= 0 || omp_get_proc_bind() == omp_proc_bind_false) return;
    if (omp_get_place_num_procs(place) > CPU_SETSIZE) return;
    omp_get_place_proc_ids(place, cores);
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < omp_get_place_num_procs(place); i++) CPU_SET(cores[i], &set);
    sched_setaffinity(0, sizeof set, &set);
}
#else
static int this_core(void) { return -1; }
static void leave_core(int core) { (void)core; }
static void settle(int id) { (void)id; }
#endif

/* Does the chunks of an offer that are left; returns how many. */
static ptrdiff_t claim(offer *from, int id) {
    ptrdiff_t done = 0, chunk;
    for (int i = 0; i < from->n; i++) {
        stretch *part = &from->stretches[(id + i) % from->n];
        while ((chunk = atomic_fetch_add_explicit(&part->next, 1, memory_order_relaxed)) <
               part->end) {
            from->work(from->job, id, chunk);
            done++;
        }
    }
    return done;
}

/* Whether the worker has entered. */
static int enter(offer *from, int id) {
    unsigned open = atomic_load(&from->open);
    while ((int)(open >> SIZE) > id)
        if (atomic_compare_exchange_weak(&from->open, &open, open + 1)) return 1;
    return 0;
}

/* Helps with the offers that are open to the worker. On its caller's core it would only be in the
 * way, and where all others are busy the system does not move it. */
static void help(int id) {
    for (int i = 0; i < OFFERS; i++) {
        offer *from = &offers[i];
        if ((int)(atomic_load(&from->open) >> SIZE) <= id) continue;
        const int core = this_core();
        if (core >= 0 && core == atomic_load(&from->core)) leave_core(core);
        if (!enter(from, id)) continue;
        claim(from, id);
        atomic_fetch_sub(&from->open, 1);
    }
}

/* Waits for other news than those that were seen; returns 0 if there are none for long. */
static int watch(worker *me, unsigned seen) {
    const double start = omp_get_wtime();
    for (double before = start, now;; before = now) {
        for (int i = 0; i < 64; i++) {
            if (atomic_load(&news) != seen) return 1;
            relax();
        }
        now = omp_get_wtime();
        if (now - before > late) me->wary_until = now + wary;
        if (now - start > (now < me->wary_until ? nap : awake)) return 0;
    }
}

static void sleep_until_called(worker *me, unsigned seen) {
    pthread_mutex_lock(&me->lock);
    atomic_store(&me->asleep, 1);
    if (atomic_load(&news) == seen) {
        while (atomic_load(&me->asleep)) pthread_cond_wait(&me->call, &me->lock);
        const double now = omp_get_wtime();
        if (now - me->called > late) me->wary_until = now + wary;
    } else {
        atomic_store(&me->asleep, 0);
    }
    pthread_mutex_unlock(&me->lock);
}

static void wake(worker *it) {
    if (!atomic_load(&it->asleep)) return;
    pthread_mutex_lock(&it->lock);
    it->called = omp_get_wtime();
    atomic_store(&it->asleep, 0);
    pthread_mutex_unlock(&it->lock);
    pthread_cond_signal(&it->call);
}

static void serve(int id) {
    worker *me = &workers[id];
    pthread_mutex_init(&me->lock, NULL);
    pthread_cond_init(&me->call, NULL);
    settle(id);
    for (;;) {
        const unsigned seen = atomic_load(&news);
        help(id);
        if (!watch(me, seen)) sleep_until_called(me, seen);
    }
}

/* The thread that opens a region: of workers first .. last, which are one number. */
static void *host(void *range) {
    const int first = (int)((size_t)range / WORKERS), last = (int)((size_t)range % WORKERS);
#pragma omp parallel num_threads(last - first + 1)
    serve(first + omp_get_thread_num());
    return NULL;
}

/* Starts the thread that opens a region. Signals to the process are for threads that the user has,
 * and knows: one that these block, to wait for it, must not end the process by way of a worker. */
static void open_region(size_t range) {
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    sigset_t all, before;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pthread_t thread;
    if (!pthread_create(&thread, NULL, host, (void *)range)) pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Sees to it that there are so many workers; if the system refuses them, callers do without. */
static void hire(int number) {
    if (atomic_load(&hired) >= number) return;
    pthread_mutex_lock(&hiring);
    const int first = atomic_load(&hired) + 1;
    const char *policy = getenv("OMP_WAIT_POLICY");
    if (first == 1 && policy && (*policy == 'p' || *policy == 'P')) awake = nap;
    if (first <= number) {
        open_region((size_t)first * WORKERS + (size_t)number);
        atomic_store(&hired, number);
    }
    pthread_mutex_unlock(&hiring);
}

/* Small work is shared out too while one thread makes calls in quick succession: it finds its
 * workers awake. */
static const double quick = 100e-6, steady = 0.3e-3; /* seconds between calls; of calls */
static _Thread_local char here;                      /* its address says who calls */
static _Atomic(const char *) caller;                 /* who did last */
static _Atomic double since;                         /* when its calls in a row began */
static _Atomic double last_end;                      /* of a call or a job */

int co_arrive(double ns, int limit) {
    if (limit <= 1 || ns < CO_HOT_NS) return 0;
    const double now = omp_get_wtime();
    if (atomic_exchange(&caller, &here) != &here || now - atomic_load(&last_end) > quick)
        atomic_store(&since, now);
    return 1;
}

void co_leave(void) { atomic_store(&last_end, omp_get_wtime()); }

int co_team(ptrdiff_t chunks, double ns, int limit) {
    if (limit <= 1 || chunks <= 1 || ns < CO_HOT_NS) return 1;
    const int hot =
        atomic_load(&caller) == &here && omp_get_wtime() - atomic_load(&since) >= steady;
    const double least = hot ? CO_HOT_NS : CO_SERIAL_NS;
    if (ns < least) return 1;
    /* Inside somebody's parallel region the cores are taken already. */
    if (atomic_load(&forked) || omp_in_parallel()) return 1;
    if (limit > WORKERS) limit = WORKERS;
    double paying = ns / (least / 2); /* each thread gets half the threshold's work */
    ptrdiff_t team = limit < chunks ? limit : chunks;
    return paying < (double)team ? (int)paying : (int)team;
}

/* An offer that nobody has taken, or NULL. */
static offer *take(void) {
    for (int i = 0; i < OFFERS; i++)
        if (!atomic_load(&offers[i].taken) && !atomic_exchange(&offers[i].taken, 1))
            return &offers[i];
    return NULL;
}

static void share(offer *mine, ptrdiff_t chunks, int team, co_chunk *work, void *job) {
    mine->work = work;
    mine->job = job;
    mine->n = team < STRETCHES ? team : STRETCHES;
    for (ptrdiff_t i = 0, next = 0; i < mine->n; i++) {
        atomic_store_explicit(&mine->stretches[i].next, next, memory_order_relaxed);
        mine->stretches[i].end = next += (chunks - next) / (mine->n - i);
    }
    hire(team - 1);
    atomic_store(&mine->core, this_core());
    atomic_store(&mine->open, (unsigned)team << SIZE);
    atomic_fetch_add(&news, 1);
    for (int id = 1; id < team; id++) wake(&workers[id]);
    const double start = omp_get_wtime();
    const ptrdiff_t done = claim(mine, 0);
    const double end = omp_get_wtime(), chunk = (end - start) / (double)(done > 0 ? done : 1);
    atomic_fetch_and(&mine->open, INSIDE);
    /* A worker that takes longer than a chunk does was put off its core. To give up this one
     * meanwhile, rather than to wait the turn away, is to have it when the worker is back. */
    for (unsigned turns = 1; atomic_load(&mine->open); turns++)
        if (turns % 64 == 0 && omp_get_wtime() - end > chunk)
            sched_yield();
        else
            relax();
    atomic_store(&mine->taken, 0);
    co_leave();
}

/* The child of a fork has no workers, and OpenMP's runtimes do not give it others. */
static void before_fork(void) { pthread_mutex_lock(&hiring); }
static void after_fork(void) { pthread_mutex_unlock(&hiring); }
static void after_fork_in_child(void) {
    pthread_mutex_unlock(&hiring);
    if (atomic_load(&hired)) atomic_store(&forked, 1);
}

void co_parallel_init(void) {
    static atomic_int registered;
    if (!atomic_exchange(&registered, 1))
        pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

int co_processors(void) {
    const int all = omp_get_num_procs();
    int placed = 0; /* places may leave some out, and may share some */
    for (int place = 0; place < omp_get_num_places(); place++)
        placed += omp_get_place_num_procs(place);
    return placed > 0 && placed < all ? placed : all;
}
#else
int co_arrive(double ns, int limit) {
    (void)ns, (void)limit;
    return 0;
}

void co_leave(void) {}

int co_team(ptrdiff_t chunks, double ns, int limit) {
    (void)chunks, (void)ns, (void)limit;
    return 1;
}

void co_parallel_init(void) {}

int co_processors(void) { return 1; }
#endif

void co_parallel(ptrdiff_t chunks, int team, co_chunk *work, void *job) {
#if defined(_OPENMP)
    offer *mine = team > 1 ? take() : NULL;
    if (mine) {
        share(mine, chunks, team, work, job);
        return;
    }
#endif
    (void)team;
    for (ptrdiff_t chunk = 0; chunk < chunks; chunk++) work(job, 0, chunk);
}

const char *co_parallel_runtime(void) {
#if defined(_OPENMP)
    static char text[32];
    if (!text[0]) snprintf(text, sizeof text, "OpenMP %d", _OPENMP);
    return text;
#else
    return "none";
#endif
}
