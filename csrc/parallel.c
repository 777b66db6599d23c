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

int co_team(ptrdiff_t chunks, double ns, int limit) {
#if defined(_OPENMP)
    if (limit <= 1 || chunks <= 1 || ns < CO_SERIAL_NS) return 1;
    /* Inside somebody's parallel region the cores are taken already. */
    if (atomic_load(&forked) || omp_in_parallel()) return 1;
    double paying = ns / (CO_SERIAL_NS / 2); /* each thread gets half the threshold's work */
    ptrdiff_t team = limit < chunks ? limit : chunks;
    return paying < (double)team ? (int)paying : (int)team;
#else
    (void)chunks, (void)ns, (void)limit;
    return 1;
#endif
}

void co_parallel(ptrdiff_t chunks, int team, co_chunk *work, void *job) {
#if defined(_OPENMP)
    if (team > 1) {
        atomic_ptrdiff_t next = 0;
        atomic_store(&team_used, 1);
#pragma omp parallel num_threads(team)
        {
            int worker = omp_get_thread_num();
            ptrdiff_t chunk;
            while ((chunk = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed)) < chunks)
                work(job, worker, chunk);
        }
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
