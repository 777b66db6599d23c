#include "parallel.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#if defined(_OPENMP)
#include <omp.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

static atomic_int team_used; /* this process has run a parallel region */
static atomic_int forked;    /* this process is a child of one that had */

#if defined(_OPENMP)
/* A team is as late as its latest thread. On a machine that is busy with something else a thread
 * may not get a core for milliseconds, while the others spin: the call then takes many times what
 * one thread would. So each region is held against the time of its fastest chunk. When teams have
 * lost `credit` more than they gained, calls do without for a while, twice as long each time until
 * teams have gained as much. Work of three lengths is judged apart: one may well pay while another
 * does not. */
typedef enum { SMALL, LARGE, LONG } length; /* below CO_SERIAL_NS, below CO_LONG_NS, above */
static const double credit = 20e-3, first_pause = 0.1, longest_pause = 2; /* seconds */
static _Atomic double lost[3];         /* seconds that teams took longer than one thread, net */
static _Atomic double next_pause[3];   /* seconds */
static _Atomic double paused_until[3]; /* by the clock of omp_get_wtime */

/* After a region its threads spin for a while, and the next one finds them awake. So small work is
 * shared out too while one thread makes calls in quick succession (a team belongs to its
 * caller). */
static const double quick = 100e-6, steady = 0.3e-3; /* seconds between calls; of calls */
static _Thread_local length asked;   /* what co_team said yes to last; its address says who calls */
static _Atomic(const void *) caller; /* who did last */
static _Atomic double since;         /* when its calls in a row began */
static _Atomic double last_end;      /* of a call or a region */

int co_arrive(double ns, int limit) {
    if (limit <= 1 || ns < CO_HOT_NS) return 0;
    const double now = omp_get_wtime();
    if (atomic_exchange(&caller, &asked) != &asked || now - atomic_load(&last_end) > quick)
        atomic_store(&since, now);
    return 1;
}

void co_leave(void) { atomic_store(&last_end, omp_get_wtime()); }

int co_team(ptrdiff_t chunks, double ns, int limit) {
    if (limit <= 1 || chunks <= 1 || ns < CO_HOT_NS) return 1;
    const double now = omp_get_wtime();
    const int hot = atomic_load(&caller) == &asked && now - atomic_load(&since) >= steady;
    const double least = hot ? CO_HOT_NS : CO_SERIAL_NS;
    if (ns < least) return 1;
    /* Inside somebody's parallel region the cores are taken already. */
    if (atomic_load(&forked) || omp_in_parallel()) return 1;
    asked = ns < CO_SERIAL_NS ? SMALL : ns < CO_LONG_NS ? LARGE : LONG;
    if (now < atomic_load(&paused_until[asked])) return 1;
    double paying = ns / (least / 2); /* each thread gets half the threshold's work */
    ptrdiff_t team = limit < chunks ? limit : chunks;
    return paying < (double)team ? (int)paying : (int)team;
}

/* The seconds that this thread has had a core. To ask takes most of a microsecond. */
static double on_core(void) {
#if defined(CLOCK_THREAD_CPUTIME_ID)
    struct timespec time;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0)
        return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
#endif
    return omp_get_wtime();
}

static void judge(length kind, double start, double end, double serial) {
    atomic_store(&last_end, end);
    double sum = atomic_load(&lost[kind]) + end - start - serial;
    if (sum > credit) {
        double pause = atomic_load(&next_pause[kind]);
        if (pause < first_pause) pause = first_pause;
        atomic_store(&paused_until[kind], end + pause);
        atomic_store(&next_pause[kind], pause < longest_pause / 2 ? 2 * pause : longest_pause);
        sum = 0;
    } else if (sum < -credit) {
        atomic_store(&next_pause[kind], first_pause);
        sum = -credit;
    }
    atomic_store(&lost[kind], sum);
}

/* Chunks next .. end - 1, on a cache line of their own. Each worker begins with a stretch, the same
 * in each call of the same size: its core's cache still has what it read and wrote there. Then it
 * helps with the others. */
typedef struct stretch {
    _Alignas(64) atomic_ptrdiff_t next;
    ptrdiff_t end;
} stretch;
enum { STRETCHES = 16 };

static void in_team(ptrdiff_t chunks, ptrdiff_t alike, double whole, int team, co_chunk *work,
                    void *job) {
    const length kind = asked;
    const int n = team < STRETCHES ? team : STRETCHES;
    const double start = omp_get_wtime(), had = kind == LONG ? on_core() : 0;
    double fastest = 1e9; /* seconds of a chunk */
    double slowed = 1;    /* how many times longer the caller took than it had a core */
    stretch stretches[STRETCHES];
    for (ptrdiff_t i = 0, next = 0; i < n; i++) {
        atomic_init(&stretches[i].next, next);
        stretches[i].end = next += (chunks - next) / (n - i);
    }
    atomic_store(&team_used, 1);
#pragma omp parallel num_threads(team) reduction(min : fastest)
    {
        const int worker = omp_get_thread_num();
        double before = omp_get_wtime();
        for (int i = 0; i < n; i++) {
            stretch *from = &stretches[(worker + i) % n];
            ptrdiff_t chunk;
            while ((chunk = atomic_fetch_add_explicit(&from->next, 1, memory_order_relaxed)) <
                   from->end) {
                work(job, worker, chunk);
                const double now = omp_get_wtime();
                if (chunk < alike && now - before < fastest) fastest = now - before;
                before = now;
            }
        }
        if (worker == 0 && kind == LONG) slowed = (before - start) / (on_core() - had);
    }
    judge(kind, start, omp_get_wtime(), fastest * whole * slowed);
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
#endif

void co_parallel(ptrdiff_t chunks, int team, co_chunk *work, void *job) {
    /* the last chunk may be a short one */
    co_parallel_uneven(chunks, chunks - 1, (double)chunks, team, work, job);
}

void co_parallel_uneven(ptrdiff_t chunks, ptrdiff_t alike, double whole, int team, co_chunk *work,
                        void *job) {
#if defined(_OPENMP)
    if (team > 1) {
        in_team(chunks, alike, whole, team, work, job);
        return;
    }
#endif
    (void)alike, (void)whole, (void)team;
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
