/* parallel.h - sharing out work over threads. parallel.c is the only file that says OpenMP. */
#ifndef COREOPS_PARALLEL_H
#define COREOPS_PARALLEL_H

#include <stddef.h>

/* Work that takes less than CO_SERIAL_NS stays on the caller's thread: workers who sleep come too
 * late for it. Where calls follow one another so quickly that they are awake, to share out a job
 * costs about CO_REGION_NS, and CO_HOT_NS is the bound (docs/performance.md). */
#define CO_SERIAL_NS 40e3
#define CO_HOT_NS 6e3
#define CO_REGION_NS 2e3

/* One chunk of a job, done by worker 0 .. team - 1. */
typedef void co_chunk(void *job, int worker, ptrdiff_t chunk);

/* To be told of each call, before co_team is asked: it has about `ns` nanoseconds of work and may
 * use `limit` threads. Returns whether to tell of its end, too. */
int co_arrive(double ns, int limit);
void co_leave(void);

/* The number of threads worth waking for a job of `chunks` chunks and `ns`
 * nanoseconds, at most limit; 1 means that the caller does it alone. */
int co_team(ptrdiff_t chunks, double ns, int limit);

/* Does chunks 0 .. chunks - 1 of the job, each once, in any order. The workers
 * claim them one by one, and nobody waits for one that has no chunk in its hands. */
void co_parallel(ptrdiff_t chunks, int team, co_chunk *work, void *job);

/* After a fork the child works alone: its parent's workers are not there. Called at import. */
void co_parallel_init(void);

/* The processors that this process may use, also where OpenMP binds its first thread to one. */
int co_processors(void);

/* "OpenMP 201511" or "none". */
const char *co_parallel_runtime(void);

#endif
