/* execute.h - a run of a plan, as its steps see it. */
#ifndef COREOPS_EXECUTE_H
#define COREOPS_EXECUTE_H

#include "plan.h"

struct co_job {
    const co_plan *plan;
    void *const *buffers;
    const co_stream *streams;
    ptrdiff_t batch;
    ptrdiff_t units, block; /* of the batch; of a chunk, the last one may have less */
    int flags, threads;     /* as co_how has them */
    int team;    /* threads that share out the parts of a step, when there is one chunk */
    int watched; /* parallel.h wants to be told of its end */
    char *arena;
    ptrdiff_t arena_bytes; /* of one worker, with its scratch, which comes last */
    ptrdiff_t scratch;     /* where that starts */
    ptrdiff_t stride;      /* to the next worker's: those who share a step share the values */
    ptrdiff_t result;      /* bytes of the run's */
};

/* Where `value` lies for the block that starts at unit `first`. */
static inline char *co_locate(const co_job *job, const char *arena, int v, ptrdiff_t first) {
    const co_value *part = &job->plan->values[v];
    const co_value *value = part->within < 0 ? part : &job->plan->values[part->within];
    const ptrdiff_t at = part->within < 0 ? 0 : part->at * part->item_bytes;
    if (value->buffer < 0 && value->kept < 0)
        return (char *)arena + value->offset * job->block + at;
    char *batch = value->kept < 0 ? job->buffers[value->buffer]
                                  : co_trainer_rows(job->plan->trainer, value->kept);
    return batch + first * (value->size / job->plan->units) * value->item_bytes + at;
}

/* The elements of a value, and the positions of a step, in so many units. */
static inline ptrdiff_t co_elements(const co_job *job, int v, ptrdiff_t units) {
    return units * (job->plan->values[v].size / job->plan->units);
}

static inline ptrdiff_t co_positions(const co_job *job, const co_step *step, ptrdiff_t units) {
    return units * (step->positions / job->plan->units);
}

/* A result of at least one in so many parts of the last cache goes past it. Stores that are apart,
 * in place as a transpose's or in time as dropout's, gain by that sooner than a copy's. */
enum { CO_APART = 4, CO_IN_ORDER = 2 };

/* execute.c. Whether the step's result does. */
int co_goes_past(const co_job *job, const co_step *step, ptrdiff_t share);

/* How long a step takes one thread in this run, in nanoseconds. */
double co_step_ns(const co_job *job, const co_step *step);

/* Whether products of rows by weight w, or with `turned` by its transpose, go by the plan's matmul.
 * All rows of the call decide, so that they are treated alike. */
int co_by_matmul(const co_job *job, int w, int turned, ptrdiff_t rows);

#endif
