/* execute.h - a run of a plan, as its steps see it. */
#ifndef COREOPS_EXECUTE_H
#define COREOPS_EXECUTE_H

#include "plan.h"

typedef struct co_job {
    const co_plan *plan;
    void *const *buffers;
    const co_stream *streams;
    ptrdiff_t batch;
    ptrdiff_t units, block; /* of the batch; of a chunk, the last one may have less */
    int flags;
    int team; /* threads that share out the columns of a dense step, when there is one chunk */
    char *arena;
    ptrdiff_t arena_bytes; /* of one worker, with its scratch, which comes last */
    ptrdiff_t scratch;     /* where that starts */
    ptrdiff_t stride;      /* to the next worker's: those who share columns share the values */
    ptrdiff_t result;      /* bytes of the run's */
} co_job;

/* Where `value` lies for the block that starts at unit `first`. */
static inline char *co_locate(const co_job *job, const char *arena, int v, ptrdiff_t first) {
    const co_value *value = &job->plan->values[v];
    if (value->buffer < 0) return (char *)arena + value->offset * job->block;
    return (char *)job->buffers[value->buffer] +
           first * (value->size / job->plan->units) * value->item_bytes;
}

/* gradient.c. A step that only plans that train have, on so many units from unit `first` on. */
void co_run_gradient(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                     ptrdiff_t units);

#endif
