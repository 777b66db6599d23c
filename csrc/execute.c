/* execute.c - running a plan: blocks of units go through all the steps, shared out over threads. */
#include <stdlib.h>

#include "execute.h"
#include "parallel.h"

/* A block smaller than this has its arena on the stack: no allocation for small calls. */
enum { CO_STACK_ARENA = 16 * 1024 };

/* A result of at least one in so many parts of the last cache goes past it. Scattered stores gain
 * by that far sooner than those that go in order, even while the cache would have room. */
enum { CO_SCATTERED = 8, CO_IN_ORDER = 2 };

static int goes_past(const co_job *job, const co_step *step, ptrdiff_t share) {
    return job->plan->values[step->y].buffer == CO_BUFFER_Y &&
           job->result >= job->plan->cache / share;
}

/* Whether a dense step goes by the plan's matmul. The rows of the whole call decide, so that all of
 * them are treated alike. */
static int by_matmul(const co_job *job, const co_step *step) {
    const co_matmul *matmul = job->plan->matmul;
    return matmul && step->op == CO_OP_DENSE && !(job->flags & CO_BATCH_INVARIANT) &&
           job->units * (step->positions / job->plan->units) >= matmul->rows &&
           matmul->suits(step->u.dense.k, step->u.dense.n);
}

/* Packs the weights for the plan's matmul, unless another run has. */
static co_status pack(co_step *step, const co_matmul *matmul) {
    const ptrdiff_t k = step->u.dense.k, n = step->u.dense.n;
    if (atomic_load(&step->u.dense.packed)) return CO_OK;
    const size_t lines = (size_t)matmul->bytes(k, n) / CO_LINE + 1;
    void *packed = aligned_alloc(CO_LINE, lines * CO_LINE), *none = NULL;
    if (!packed) return CO_NO_MEMORY;
    matmul->pack(k, n, step->u.dense.kernel, packed);
    if (!atomic_compare_exchange_strong(&step->u.dense.packed, &none, packed)) free(packed);
    return CO_OK;
}

/* A dense step on a block, in pieces of `columns` columns, whole panels of its weights. */
typedef struct co_dense {
    const co_job *job;
    const co_step *step;
    ptrdiff_t m, columns;
    const char *x;
    char *y, *arena;
} co_dense;

static void dense_piece(void *context, int worker, ptrdiff_t piece) {
    const co_dense *dense = context;
    const co_job *job = dense->job;
    const co_step *step = dense->step;
    const ptrdiff_t k = step->u.dense.k, n = step->u.dense.n, item = job->plan->item_bytes;
    const ptrdiff_t first = piece * dense->columns, left = n - first;
    const ptrdiff_t columns = left < dense->columns ? left : dense->columns;
    const char *kernel = step->u.dense.kernel, *bias = step->u.dense.bias;
    char *y = dense->y + first * item;
    char *scratch = dense->arena + worker * job->stride + job->scratch;
    if (bias) bias += first * item;
    if (step->op == CO_OP_DENSE_INT8) {
        const co_kernels *kernels = job->plan->kernels;
        kernels->qgemm(dense->m, columns, k, dense->x, k, kernel + kernels->qgemm_bytes(k, first),
                       (const char *)step->u.dense.scale + first * item, bias, y, n,
                       &step->u.dense.act, scratch);
    } else if (by_matmul(job, step)) {
        const co_matmul *matmul = job->plan->matmul;
        const char *packed = atomic_load(&step->u.dense.packed);
        matmul->run(dense->m, columns, k, dense->x, k, kernel + first * k * item,
                    packed + matmul->bytes(k, first), bias, y, n, &step->u.dense.act, scratch);
    } else if (step->u.dense.by_dots) {
        job->plan->kernels->dots(dense->m, n, k, dense->x, k, kernel, bias, y, n,
                                 &step->u.dense.act);
    } else {
        job->plan->kernels->gemm(dense->m, columns, k, dense->x, k, kernel + first * k * item, bias,
                                 y, n, &step->u.dense.act);
    }
}

/* How long a step takes one thread, in nanoseconds: a dense one by its arithmetic, or as its
 * weights come at 100 GB/s. */
static double step_ns(const co_job *job, const co_step *step) {
    double ns = step->ns * (double)job->units;
    if (step->op != CO_OP_DENSE && step->op != CO_OP_DENSE_INT8) return ns;
    const ptrdiff_t item = step->op == CO_OP_DENSE_INT8 ? 1 : job->plan->item_bytes;
    const double bytes = (double)(step->u.dense.k * step->u.dense.n * item);
    if (by_matmul(job, step)) ns /= job->plan->matmul->speed;
    return ns > bytes / 100 ? ns : bytes / 100;
}

/* The columns of a dense step that stay together: a panel of its weights. */
static ptrdiff_t panel(const co_job *job, const co_step *step) {
    if (step->op == CO_OP_DENSE_INT8) return job->plan->kernels->qgemm_nr;
    if (step->u.dense.by_dots && step->u.dense.n > 0) return step->u.dense.n;
    return by_matmul(job, step) ? job->plan->matmul->nr : job->plan->kernels->gemm_nr;
}

static void run_dense(const co_job *job, const co_step *step, ptrdiff_t m, const char *x, char *y,
                      char *arena) {
    const ptrdiff_t n = step->u.dense.n;
    co_dense dense = {job, step, m, n, x, y, arena};
    int team = 1;
    if (job->team > 1) {
        const ptrdiff_t grain = panel(job, step);
        team = co_team(n / grain, step_ns(job, step), job->team);
        dense.columns = (n + 2 * team - 1) / (2 * team); /* two pieces a thread */
        dense.columns = (dense.columns + grain - 1) / grain * grain;
    }
    if (n > 0) co_parallel((n + dense.columns - 1) / dense.columns, team, dense_piece, &dense);
}

static void run_step(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                     ptrdiff_t units) {
    const co_plan *plan = job->plan;
    const co_kernels *kernels = plan->kernels;
    const ptrdiff_t item = plan->item_bytes;
    if (step->op >= CO_OP_PENALTY) {
        co_run_gradient(job, step, arena, first, units);
        return;
    }
    const ptrdiff_t x_unit = plan->values[step->x].size / plan->units;
    const ptrdiff_t n = units * (plan->values[step->y].size / plan->units);
    const ptrdiff_t positions = units * (step->positions / plan->units);
    const char *x = co_locate(job, arena, step->x, first);
    char *y = co_locate(job, arena, step->y, first);

    switch (step->op) {
    case CO_OP_COPY:
        kernels->copy_rows(1, n * item, x, 0, y, 0, goes_past(job, step, CO_IN_ORDER));
        break;
    case CO_OP_DENSE:
    case CO_OP_DENSE_INT8:
        run_dense(job, step, positions, x, y, arena);
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
                         (uint8_t *)co_locate(job, arena, step->mask, first),
                         step->u.masking.value);
        break;
    case CO_OP_DROPOUT:
        co_dropout(kernels, step->u.noise, job->streams[step->u.noise->stream], first * x_unit,
                   units * x_unit, x, y);
        break;
    case CO_OP_PERMUTE:
        co_permute(kernels, step->u.permute.go, positions, x, y,
                   goes_past(job, step, CO_SCATTERED));
        break;
    case CO_OP_REPEAT:
        for (ptrdiff_t i = 0, run = step->u.repeat.n * item; i < positions; i++)
            kernels->copy_rows(step->u.repeat.times, run, x + i * run, 0,
                               y + i * step->u.repeat.times * run, run,
                               goes_past(job, step, CO_IN_ORDER));
        break;
    default:
        break;
    }
}

static void run_chunk(void *context, int worker, ptrdiff_t chunk) {
    const co_job *job = context;
    const ptrdiff_t first = chunk * job->block, left = job->units - first;
    char *arena = job->arena + worker * job->stride;
    for (int i = 0; i < job->plan->n_steps; i++)
        run_step(job, &job->plan->steps[i], arena, first, left < job->block ? left : job->block);
    if (job->result >= job->plan->cache / CO_SCATTERED) job->plan->kernels->settle();
}

/* The bytes of scratch that a block of so many units takes. */
static ptrdiff_t scratch_of(const co_job *job, ptrdiff_t block) {
    const co_matmul *matmul = job->plan->matmul;
    ptrdiff_t most = 0;
    for (int i = 0; i < job->plan->n_steps; i++) {
        const co_step *step = &job->plan->steps[i];
        const ptrdiff_t rows = block * (step->positions / job->plan->units);
        ptrdiff_t bytes = 0;
        if (step->op == CO_OP_DENSE_INT8)
            bytes = job->plan->kernels->qgemm_scratch(rows, step->u.dense.k);
        else if (by_matmul(job, step))
            bytes = matmul->scratch(rows, step->u.dense.k);
        if (bytes > most) most = bytes;
    }
    return (most + CO_LINE - 1) / CO_LINE * CO_LINE;
}

/* How long the call takes when `team` threads share out the columns of its dense steps. */
static double by_columns(const co_job *job, int team) {
    double ns = 0;
    for (int i = 0; i < job->plan->n_steps; i++) {
        const co_step *step = &job->plan->steps[i];
        const double alone = step_ns(job, step);
        ptrdiff_t parts = 1;
        if (step->op == CO_OP_DENSE || step->op == CO_OP_DENSE_INT8)
            parts = step->u.dense.n / panel(job, step);
        if (parts > team) parts = team;
        ns += parts > 1 && alone >= CO_HOT_NS ? alone / (double)parts + CO_REGION_NS : alone;
    }
    return ns;
}

/* Cuts the call into chunks of units and says how many threads are to work on them: a plan's block
 * is a chunk, or less when that would leave threads without work. A call of a few rows, which whole
 * tiles share out badly, is one chunk, of which large dense steps share out their columns. */
static int cut(co_job *job, int threads) {
    const co_plan *plan = job->plan;
    ptrdiff_t grain = plan->kernels->gemm_mr, block = plan->block;
    double ns = 0;
    for (int i = 0, found = 0; i < plan->n_steps; i++) {
        const co_step *step = &plan->steps[i];
        ns += step_ns(job, step);
        if (!by_matmul(job, step)) continue;
        const ptrdiff_t rows = plan->matmul->block(step->u.dense.k);
        const ptrdiff_t units = rows * plan->units / step->positions;
        if (!found++ || units < block) block = units > 0 ? units : 1;
        grain = plan->matmul->mr;
    }
    co_arrive(ns, threads);
    const int wanted = co_team(PTRDIFF_MAX, ns, threads);
    int team = job->units < wanted ? (int)job->units : wanted;
    if (team > 1) {
        ptrdiff_t share = (job->units + 4 * team - 1) / (4 * team); /* four chunks a thread */
        share = (share + grain - 1) / grain * grain;
        if (share < block) block = share;
    }
    job->block = block < job->units ? block : job->units;
    ptrdiff_t chunks = job->block ? (job->units + job->block - 1) / job->block : 0;
    if (chunks < team) team = chunks > 0 ? (int)chunks : 1;
    if (wanted > 1) {
        /* The units of the thread that has most: the last chunk, if it has one more than others. */
        ptrdiff_t most = (chunks + team - 1) / team * job->block;
        if (chunks % team == 1) most -= chunks * job->block - job->units;
        if (by_columns(job, wanted) < ns * (double)most / (double)job->units) {
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

static co_status pack_all(const co_job *job) {
    for (int i = 0; job->plan->matmul && i < job->plan->n_steps; i++) {
        co_step *step = &job->plan->steps[i];
        if (by_matmul(job, step) && pack(step, job->plan->matmul) != CO_OK) return CO_NO_MEMORY;
    }
    return CO_OK;
}

/* Room for what the weights' gradients are made of. */
static co_status make_room(const co_plan *plan, ptrdiff_t batch) {
    co_status status = CO_OK;
    for (int i = 0; plan->trainer && i < plan->n_steps && status == CO_OK; i++)
        if (plan->steps[i].op == CO_OP_KEEP)
            status = co_trainer_room(plan->trainer, plan->steps[i].u.kept, batch);
    return status;
}

co_status co_plan_run(const co_plan *plan, ptrdiff_t batch, void *const buffers[CO_BUFFERS],
                      const co_stream *streams, co_how how) {
    _Alignas(CO_LINE) char stack[CO_STACK_ARENA];
    co_job job = {.plan = plan,
                  .buffers = buffers,
                  .streams = streams,
                  .batch = batch,
                  .units = batch * plan->units,
                  .flags = how.flags,
                  .team = 1,
                  .arena = stack};
    if (make_room(plan, batch) != CO_OK) return CO_NO_MEMORY;
    if (job.units == 0) return CO_OK;
    for (int v = 0; v < plan->n_values; v++)
        if (plan->values[v].buffer == CO_BUFFER_Y)
            job.result = batch * plan->values[v].size * plan->values[v].item_bytes;
    const int team = cut(&job, how.threads);
    const ptrdiff_t chunks = (job.units + job.block - 1) / job.block;
    if (pack_all(&job) != CO_OK) return CO_NO_MEMORY;
    const int workers = team > job.team ? team : job.team;
    if (workers == 1 && job.arena_bytes <= CO_STACK_ARENA) {
        co_parallel(chunks, 1, run_chunk, &job);
        return CO_OK;
    }
    /* The last run may have left an arena; it is large enough for any run of this size. */
    co_plan *shared = (co_plan *)plan;
    if (job.arena_bytes > (PTRDIFF_MAX - CO_LINE) / workers) return CO_NO_MEMORY;
    const ptrdiff_t need = job.arena_bytes + (workers - 1) * job.stride;
    ptrdiff_t *header = atomic_exchange(&shared->spare, NULL);
    if (!header || header[0] < need) {
        free(header);
        header = aligned_alloc(CO_LINE, (size_t)(need + CO_LINE));
        if (!header) return CO_NO_MEMORY;
        header[0] = need;
    }
    job.arena = (char *)header + CO_LINE;
    co_parallel(chunks, team, run_chunk, &job);
    free(atomic_exchange(&shared->spare, header));
    return CO_OK;
}

ptrdiff_t co_plan_arena(const co_plan *plan, ptrdiff_t batch) {
    co_job job = {.plan = plan, .units = batch * plan->units};
    cut(&job, 1);
    return job.arena_bytes;
}
