/* execute.c - running a plan: blocks of units go through all the steps, shared out over threads. */
#include "execute.h"

#include <stdlib.h>

#include "blocks.h"
#include "parallel.h"

/* A block smaller than this has its arena on the stack: no allocation for small calls. */
enum { CO_STACK_ARENA = 16 * 1024 };

int co_goes_past(const co_job *job, const co_step *step, ptrdiff_t share) {
    const co_value *y = &job->plan->values[step->out[0]];
    return y->buffer == CO_BUFFER_Y && y->last < 0 && job->result >= job->plan->cache / share;
}

double co_step_ns(const co_job *job, const co_step *step) {
    const double ns = step->ns * (double)job->units;
    return step->kind->speed ? ns / step->kind->speed(job, step) : ns;
}

int co_by_matmul(const co_job *job, int w, int turned, ptrdiff_t rows) {
    const co_matmul *matmul = job->plan->matmul;
    const co_weights *weight = &job->plan->weights[w];
    return matmul && !(job->flags & CO_BATCH_INVARIANT) && rows >= matmul->rows &&
           (!job->plan->trainer || rows >= CO_LEARNING_ROWS) &&
           matmul->suits(turned ? weight->n : weight->k, turned ? weight->k : weight->n);
}

static void run_chunk(void *context, int worker, ptrdiff_t chunk) {
    const co_job *job = context;
    const ptrdiff_t first = chunk * job->block, left = job->units - first;
    char *arena = job->arena + worker * job->stride;
    for (int i = 0; i < job->plan->n_steps; i++)
        job->plan->steps[i].kind->run(job, &job->plan->steps[i], arena, first,
                                      left < job->block ? left : job->block);
    if (job->result >= job->plan->cache / CO_APART) job->plan->kernels->settle();
}

/* The bytes of scratch that a block of so many units takes. */
static ptrdiff_t scratch_of(const co_job *job, ptrdiff_t block) {
    ptrdiff_t most = 0;
    for (int i = 0; i < job->plan->n_steps; i++) {
        const co_step *step = &job->plan->steps[i];
        const ptrdiff_t bytes = step->kind->scratch ? step->kind->scratch(job, step, block) : 0;
        if (bytes > most) most = bytes;
    }
    return (most + CO_LINE - 1) / CO_LINE * CO_LINE;
}

/* How long the call takes when `team` threads share out the parts of its steps. */
static double by_parts(const co_job *job, int team) {
    double ns = 0;
    for (int i = 0; i < job->plan->n_steps; i++) {
        const co_step *step = &job->plan->steps[i];
        const double alone = co_step_ns(job, step);
        ptrdiff_t parts = step->kind->parts ? step->kind->parts(job, step) : 1;
        if (parts > team) parts = team;
        ns += parts > 1 && alone >= CO_HOT_NS ? alone / (double)parts + CO_REGION_NS : alone;
    }
    return ns;
}

/* The units of a chunk, at most `block`: four chunks a thread, or fewer, which fill gemm's tiles,
 * and as many for each thread, since the last to come would keep the others waiting. */
static ptrdiff_t share_of(const co_job *job, ptrdiff_t block, ptrdiff_t grain, int team) {
    const ptrdiff_t least = (job->units + block - 1) / block;
    ptrdiff_t chunks = job->units / job->plan->kernels->gemm_mr;
    if (chunks > 4 * team) chunks = 4 * team;
    if (chunks < least) chunks = least + team - 1;
    chunks = chunks < team ? team : chunks / team * team;
    const ptrdiff_t share = (job->units + chunks - 1) / chunks;
    return (share + grain - 1) / grain * grain;
}

/* Cuts the call into chunks of units and says how many threads are to work on them: a plan's block
 * is a chunk, or less when that would leave threads without work. A call of a few rows, which
 * tiles share out badly, is one chunk, of which large steps share out their parts. */
static int cut(co_job *job, int threads) {
    const co_plan *plan = job->plan;
    const ptrdiff_t together = plan->grain;
    ptrdiff_t grain = 1, block = plan->block;
    double ns = 0;
    for (int i = 0, found = 0; i < plan->n_steps; i++) {
        const co_step *step = &plan->steps[i];
        ns += co_step_ns(job, step);
        const ptrdiff_t rows =
            step->kind->rows_at_once ? step->kind->rows_at_once(job, step, &grain) : 0;
        if (!rows) continue;
        const ptrdiff_t units = rows * plan->units / step->positions;
        if (!found++ || units < block) block = units > 0 ? units : 1;
    }
    block = block < together ? together : block / together * together;
    grain = (grain + together - 1) / together * together;
    job->watched = co_arrive(ns, threads);
    const int wanted = co_team(PTRDIFF_MAX, ns, threads);
    int team = job->units < wanted ? (int)job->units : wanted;
    if (team > 1) {
        const ptrdiff_t share = share_of(job, block, grain, team);
        if (share < block) block = share;
    }
    job->block = block < job->units ? block : job->units;
    ptrdiff_t chunks = job->block ? (job->units + job->block - 1) / job->block : 0;
    if (chunks < team) team = chunks > 0 ? (int)chunks : 1;
    if (wanted > 1) {
        /* The units of the thread that has most: the last chunk, if it has one more than others. */
        ptrdiff_t most = (chunks + team - 1) / team * job->block;
        if (chunks % team == 1) most -= chunks * job->block - job->units;
        /* Less than half a tile takes as long as that. Where chunks do not fill one, columns if it
         * comes to the same: each core then has its own part of the weights. */
        const ptrdiff_t mr = plan->kernels->gemm_mr;
        if (most < mr / 2) most = mr / 2;
        double rows_ns = ns * (double)most / (double)job->units;
        if (job->block < mr) rows_ns += CO_REGION_NS;
        const double parts_ns = by_parts(job, wanted);
        if (parts_ns < ns && parts_ns <= rows_ns) {
            job->block = job->units;
            job->team = wanted;
            team = 1;
        }
    }
    job->scratch = plan->arena * job->block;
    job->arena_bytes = job->scratch + scratch_of(job, job->block);
    job->stride = job->arena_bytes - (job->team > 1 ? job->scratch : 0);
    return team;
}

static co_status prepare(const co_job *job) {
    co_status status = CO_OK;
    for (int i = 0; i < job->plan->n_steps && status == CO_OK; i++) {
        const co_step *step = &job->plan->steps[i];
        if (step->kind->prepare) status = step->kind->prepare(job, step);
    }
    return status;
}

static co_status conclude(const co_job *job) {
    for (int i = 0; i < job->plan->n_steps; i++) {
        const co_step *step = &job->plan->steps[i];
        if (step->kind->conclude) step->kind->conclude(job, step);
    }
    if (job->watched) co_leave();
    return CO_OK;
}

co_status co_plan_run(const co_plan *plan, ptrdiff_t batch, void *const *buffers,
                      const co_stream *streams, co_how how) {
    _Alignas(CO_LINE) char stack[CO_STACK_ARENA];
    co_job job = {.plan = plan,
                  .buffers = buffers,
                  .streams = streams,
                  .batch = batch,
                  .units = batch * plan->units,
                  .flags = how.flags,
                  .threads = how.threads,
                  .team = 1,
                  .arena = stack};
    const co_status status = prepare(&job);
    if (status != CO_OK) return status;
    if (job.units == 0) return CO_OK;
    for (int v = 0; v < plan->n_values; v++)
        if (plan->values[v].buffer == CO_BUFFER_Y)
            job.result = batch * plan->values[v].size * plan->values[v].item_bytes;
    const int team = cut(&job, how.threads);
    const ptrdiff_t chunks = (job.units + job.block - 1) / job.block;
    const int workers = team > job.team ? team : job.team;
    if (workers == 1 && job.arena_bytes <= CO_STACK_ARENA) {
        co_parallel(chunks, 1, run_chunk, &job);
        return conclude(&job);
    }
    /* The last run may have left an arena; it is large enough for any run of this size. */
    co_plan *shared = (co_plan *)plan;
    if (job.arena_bytes > (PTRDIFF_MAX - CO_LINE) / workers) return CO_NO_MEMORY;
    const ptrdiff_t need = job.arena_bytes + (workers - 1) * job.stride;
    ptrdiff_t *header = atomic_exchange(&shared->spare, NULL);
    if (!header || header[0] < need) {
        free(header);
        header = co_lines((size_t)(need + CO_LINE));
        if (!header) return CO_NO_MEMORY;
        header[0] = need;
    }
    job.arena = (char *)header + CO_LINE;
    co_parallel(chunks, team, run_chunk, &job);
    free(atomic_exchange(&shared->spare, header));
    return conclude(&job);
}

ptrdiff_t co_plan_arena(const co_plan *plan, ptrdiff_t batch) {
    co_job job = {.plan = plan, .units = batch * plan->units};
    cut(&job, 1);
    return job.arena_bytes;
}
