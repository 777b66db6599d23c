/* execute.c - running a plan: blocks of units go through all the steps, shared out over threads. */
#include <stdlib.h>

#include "parallel.h"
#include "plan.h"

/* A block smaller than this has its arena on the stack: no allocation for small calls. */
enum { CO_STACK_ARENA = 16 * 1024 };

typedef struct co_job {
    const co_plan *plan;
    void *const *buffers;
    const co_stream *streams;
    ptrdiff_t units, block; /* of the batch; of a chunk, the last one may have less */
    char *arena;
    ptrdiff_t arena_bytes; /* of one worker */
    ptrdiff_t result;      /* bytes of the run's */
} co_job;

/* Where `value` lies for the block that starts at unit `first`. */
static char *locate(const co_job *job, const char *arena, int v, ptrdiff_t first) {
    const co_value *value = &job->plan->values[v];
    if (value->buffer < 0) return (char *)arena + value->offset * job->block;
    return (char *)job->buffers[value->buffer] +
           first * (value->size / job->plan->units) * value->item_bytes;
}

/* A result of at least one in so many parts of the last cache goes past it. Scattered stores gain
 * by that far sooner than those that go in order, even while the cache would have room. */
enum { CO_SCATTERED = 8, CO_IN_ORDER = 2 };

static int goes_past(const co_job *job, const co_step *step, ptrdiff_t share) {
    return job->plan->values[step->y].buffer == CO_BUFFER_Y &&
           job->result >= job->plan->cache / share;
}

static void run_step(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                     ptrdiff_t units) {
    const co_plan *plan = job->plan;
    const co_kernels *kernels = plan->kernels;
    const ptrdiff_t item = plan->item_bytes;
    const ptrdiff_t x_unit = plan->values[step->x].size / plan->units;
    const ptrdiff_t n = units * (plan->values[step->y].size / plan->units);
    const ptrdiff_t positions = units * (step->positions / plan->units);
    const char *x = locate(job, arena, step->x, first);
    char *y = locate(job, arena, step->y, first);

    switch (step->op) {
    case CO_OP_COPY:
        kernels->copy_rows(1, n * item, x, 0, y, 0, goes_past(job, step, CO_IN_ORDER));
        break;
    case CO_OP_DENSE:
        kernels->gemm(positions, step->u.dense.n, step->u.dense.k, x, step->u.dense.k,
                      step->u.dense.kernel, step->u.dense.bias, y, step->u.dense.n,
                      &step->u.dense.act);
        break;
    case CO_OP_ACT:
        kernels->vact(n, x, y, &step->u.act);
        break;
    case CO_OP_SOFTMAX:
        kernels->softmax(positions, step->u.softmax.n, x, y, step->u.softmax.log);
        break;
    case CO_OP_PRELU:
        for (ptrdiff_t i = 0, run = step->u.prelu.n; i < positions; i++)
            kernels->vprelu(run, x + i * run * item, step->u.prelu.alpha, y + i * run * item);
        break;
    case CO_OP_MASKING:
        kernels->masking(positions, step->u.masking.n, x, y,
                         (uint8_t *)locate(job, arena, step->mask, first), step->u.masking.value);
        break;
    case CO_OP_DROPOUT:
        co_dropout(kernels, step->u.noise, job->streams[step->u.noise->stream], first * x_unit,
                   units * x_unit, x, y);
        break;
    case CO_OP_PERMUTE:
        co_permute(kernels, step->u.permutation, positions, x, y,
                   goes_past(job, step, CO_SCATTERED));
        break;
    case CO_OP_REPEAT:
        for (ptrdiff_t i = 0, run = step->u.repeat.n * item; i < positions; i++)
            kernels->copy_rows(step->u.repeat.times, run, x + i * run, 0,
                               y + i * step->u.repeat.times * run, run,
                               goes_past(job, step, CO_IN_ORDER));
        break;
    }
}

static void run_chunk(void *context, int worker, ptrdiff_t chunk) {
    const co_job *job = context;
    const ptrdiff_t first = chunk * job->block, left = job->units - first;
    char *arena = job->arena + worker * job->arena_bytes;
    for (int i = 0; i < job->plan->n_steps; i++)
        run_step(job, &job->plan->steps[i], arena, first, left < job->block ? left : job->block);
    if (job->result >= job->plan->cache / CO_SCATTERED) job->plan->kernels->settle();
}

/* Units of a chunk: a plan's block, or less when that leaves threads without work. */
static ptrdiff_t chunk_of(const co_plan *plan, ptrdiff_t units, int team) {
    ptrdiff_t block = plan->block < units ? plan->block : units;
    if (team > 1) {
        const ptrdiff_t mr = plan->kernels->gemm_mr;
        ptrdiff_t share = (units + 4 * team - 1) / (4 * team); /* four chunks a thread */
        share = (share + mr - 1) / mr * mr;
        if (share < block) block = share;
    }
    return block > 0 ? block : 1;
}

co_status co_plan_run(const co_plan *plan, ptrdiff_t batch, void *const buffers[CO_BUFFERS],
                      const co_stream *streams, int threads) {
    _Alignas(CO_LINE) char stack[CO_STACK_ARENA];
    const ptrdiff_t units = batch * plan->units;
    if (units == 0) return CO_OK;
    int team = co_team(units, plan->ns * (double)units, threads);
    co_job job = {plan, buffers, streams, units, chunk_of(plan, units, team), stack, 0, 0};
    for (int v = 0; v < plan->n_values; v++)
        if (plan->values[v].buffer == CO_BUFFER_Y)
            job.result = batch * plan->values[v].size * plan->values[v].item_bytes;
    const ptrdiff_t chunks = (units + job.block - 1) / job.block;
    if (chunks < team) team = (int)chunks;
    job.arena_bytes = plan->arena * job.block;
    void *spare = NULL;
    if (team > 1 || job.arena_bytes > CO_STACK_ARENA) {
        /* The last run may have left one; it is large enough for any run of this size. */
        co_plan *shared = (co_plan *)plan;
        if (job.arena_bytes > (PTRDIFF_MAX - CO_LINE) / team) return CO_NO_MEMORY;
        ptrdiff_t need = job.arena_bytes * team;
        ptrdiff_t *header = spare = atomic_exchange(&shared->spare, NULL);
        if (!header || header[0] < need) {
            free(spare);
            spare = header = aligned_alloc(CO_LINE, (size_t)(need + CO_LINE));
            if (!header) return CO_NO_MEMORY;
            header[0] = need;
        }
        job.arena = (char *)header + CO_LINE;
        co_parallel(chunks, team, run_chunk, &job);
        free(atomic_exchange(&shared->spare, spare));
    } else {
        co_parallel(chunks, 1, run_chunk, &job);
    }
    return CO_OK;
}

ptrdiff_t co_plan_arena(const co_plan *plan, ptrdiff_t batch) {
    return plan->arena * chunk_of(plan, batch * plan->units, 1);
}
