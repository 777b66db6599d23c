#include "parallel.h"

#include <stdatomic.h>
#include <stdio.h>

#if defined(_OPENMP)
#include <omp.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

static atomic_int team_used; /* this process has run a parallel region */
static atomic_int forked;    /* this process is a child of one that had */

/* A team is as late as its latest thread. On a machine that is busy with something else a thread
 * may not get a core for milliseconds, while the others spin: the call then takes many times what
 * one thread would. So each region is held against the time of its fastest chunk; after one that
 * did not pay, calls do without a team for a while, twice as long each time. */
#define FIRST_PAUSE 1e-3 /* seconds */
#define LONGEST_PAUSE 0.25
static _Atomic double pause;        /* the last one's length; halved by each region that pays */
static _Atomic double paused_until; /* by the clock of omp_get_wtime */

int co_team(ptrdiff_t chunks, double ns, int limit) {
#if defined(_OPENMP)
    if (limit <= 1 || chunks <= 1 || ns < CO_SERIAL_NS) return 1;
    /* Inside somebody's parallel region the cores are taken already. */
    if (atomic_load(&forked) || omp_in_parallel()) return 1;
    if (omp_get_wtime() < atomic_load(&paused_until)) return 1;
    double paying = ns / (CO_SERIAL_NS / 2); /* each thread gets half the threshold's work */
    ptrdiff_t team = limit < chunks ? limit : chunks;
    return paying < (double)team ? (int)paying : (int)team;
#else
    (void)chunks, (void)ns, (void)limit;
    return 1;
#endif
}

#if defined(_OPENMP)
static void judge(double start, double end, double serial) {
    double last = atomic_load(&pause);
    if (end - start < serial) {
        atomic_store(&pause, last / 2);
        return;
    }
    last = last < FIRST_PAUSE ? FIRST_PAUSE : 2 * last < LONGEST_PAUSE ? 2 * last : LONGEST_PAUSE;
    atomic_store(&pause, last);
    atomic_store(&paused_until, end + last);
}

static void in_team(ptrdiff_t chunks, int team, co_chunk *work, void *job) {
    atomic_ptrdiff_t next = 0;
    const double start = omp_get_wtime();
    double fastest = 1e9; /* seconds of a chunk */
    atomic_store(&team_used, 1);
#pragma omp parallel num_threads(team) reduction(min : fastest)
    {
        const int worker = omp_get_thread_num();
        double before = omp_get_wtime();
        ptrdiff_t chunk;
        while ((chunk = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed)) < chunks) {
            work(job, worker, chunk);
            const double now = omp_get_wtime();
            /* the last chunk may be a short one */
            if (chunk < chunks - 1 && now - before < fastest) fastest = now - before;
            before = now;
        }
    }
    judge(start, omp_get_wtime(), fastest * (double)chunks);
}
#endif

void co_parallel(ptrdiff_t chunks, int team, co_chunk *work, void *job) {
#if defined(_OPENMP)
    if (team > 1) {
        in_team(chunks, team, work, job);
        return;
    }
#endif
    (void)team;
    for (ptrdiff_t chunk = 0; chunk < chunks; chunk++) work(job, 0, chunk);
}

#if defined(__unix__) || defined(__APPLE__)
static void after_fork_in_child(void) {
    if (atomic_load(&team_used)) atomic_store(&forked, 1);
}
#endif

void co_parallel_init(void) {
#if defined(__unix__) || defined(__APPLE__)
    static atomic_int registered;
    if (!atomic_exchange(&registered, 1)) pthread_atfork(NULL, NULL, after_fork_in_child);
#endif
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
