/* noise.c - normal noise, added or multiplied by. */
#include <stdlib.h>

#include "../backward.h"
#include "../execute.h"

static const co_kind gauss;

typedef struct co_gauss {
    double deviation;
    int stream, times;
} co_gauss;

static void release(co_step *step) { free(step->u.own); }

int co_plan_gauss(co_plan *plan, int x, double deviation, int times, int stream) {
    const ptrdiff_t size = co_plan_operand(plan, x);
    if (size < 0) return (int)size;
    co_step step = co_step_of(&gauss, x, 0);
    co_gauss *own = malloc(sizeof *own);
    if (!own) return CO_NO_MEMORY;
    *own = (co_gauss){deviation, stream, times};
    step.u.own = own;
    return co_plan_append(plan, step, size);
}

static void run(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                ptrdiff_t units) {
    const co_gauss *own = step->u.own;
    job->plan->kernels->gauss(
        co_elements(job, step->in[0], units), co_locate(job, arena, step->in[0], first),
        co_locate(job, arena, step->out[0], first), job->streams[own->stream],
        (uint64_t)co_elements(job, step->in[0], first), own->deviation, own->times);
}

/* What was multiplied by is made again. */
static void back(co_backward *back, const co_step *step) {
    const co_gauss *own = step->u.own;
    if (own->times)
        co_back_through(back, step, &gauss, -1);
    else if (back->moves[step->in[0]])
        co_back_add(back, step->in[0], back->gradient[step->out[0]]);
}

/* Four times as long as an activation. */
static double cost(const co_plan *plan, const co_step *step) {
    return 16 * (double)(plan->values[step->out[0]].size / plan->units) / plan->kernels->gemm_nr;
}

static const co_kind gauss = {.name = "normal noise",
                              .in_place = 1,
                              .run = run,
                              .back = back,
                              .cost = cost,
                              .release = release};
