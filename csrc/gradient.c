/* gradient.c - running the steps that only plans that train have. */
#include <string.h>

#include "execute.h"

/* The penalty of each sample, or its gradient: the mean over the batch is what is learnt from. */
static void run_penalty(const co_job *job, const co_step *step, ptrdiff_t units, ptrdiff_t n,
                        const char *x, char *value, char *dx) {
    const co_kernels *kernels = job->plan->kernels;
    const ptrdiff_t item = job->plan->item_bytes;
    const double l1 = step->u.penalty.l1, l2 = step->u.penalty.l2, scale = 1 / (double)job->batch;
    if (dx) {
        kernels->penalty(units * n, x, l1, l2, scale, dx);
        return;
    }
    const ptrdiff_t count = job->plan->values[job->plan->penalties].size;
    for (ptrdiff_t i = 0; i < units; i++) {
        const double penalty = kernels->penalty(n, x + i * n * item, l1, l2, 0, NULL);
        const ptrdiff_t at = i * count + step->u.penalty.index;
        if (item == 4)
            ((float *)value)[at] = (float)penalty;
        else
            ((double *)value)[at] = penalty;
    }
}

void co_run_gradient(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                     ptrdiff_t units) {
    const co_plan *plan = job->plan;
    const co_kernels *kernels = plan->kernels;
    const ptrdiff_t item = plan->item_bytes, parts = step->positions / plan->units;
    const ptrdiff_t positions = units * parts;
    const char *x = step->x < 0 ? NULL : co_locate(job, arena, step->x, first);
    const char *with = step->with < 0 ? NULL : co_locate(job, arena, step->with, first);
    char *y = step->y < 0 ? NULL : co_locate(job, arena, step->y, first);
    const ptrdiff_t n = units * (plan->values[step->y < 0 ? step->x : step->y].size / plan->units);

    switch (step->op) {
    case CO_OP_PENALTY:
        run_penalty(job, step, units, n / units, x, co_locate(job, arena, plan->penalties, first),
                    NULL);
        break;
    case CO_OP_PENALTY_GRAD:
        if (!x)
            memset(y, 0, (size_t)(n * item));
        else if (x != y)
            memcpy(y, x, (size_t)(n * item));
        run_penalty(job, step, units, n / units, with, NULL, y);
        break;
    case CO_OP_LOSS:
        kernels->loss(positions, step->u.loss.n, co_locate(job, arena, step->u.loss.target, first),
                      x, co_locate(job, arena, step->u.loss.weight, first),
                      co_locate(job, arena, step->u.loss.value, first), y, &step->u.loss.loss);
        break;
    case CO_OP_KEEP:
        co_trainer_kept(plan->trainer, step->u.kept, first * parts, positions, x);
        break;
    case CO_OP_ADD:
        if (x != y) memcpy(y, x, (size_t)(n * item));
        kernels->vadd(n, with, y);
        break;
    case CO_OP_ACT_GRAD:
        kernels->vact_grad(n, with, x, y, &step->u.act);
        break;
    case CO_OP_SOFTMAX_GRAD:
        kernels->softmax_grad(positions, step->u.softmax.n, with, x, y, step->u.softmax.log);
        break;
    case CO_OP_PRELU_GRAD:
    case CO_OP_ALPHA_GRAD:
        for (ptrdiff_t i = 0, run = step->u.prelu.n; i < positions; i++) {
            const ptrdiff_t at = i * run * item;
            kernels->vprelu_grad(run, with + at, step->u.prelu.alpha, x + at,
                                 step->op == CO_OP_PRELU_GRAD ? y + at : NULL,
                                 step->op == CO_OP_ALPHA_GRAD ? y + at : NULL);
        }
        break;
    case CO_OP_MASKING_GRAD:
        kernels->keep_rows(positions, step->u.masking.n, (const uint8_t *)with, x, y);
        break;
    case CO_OP_REPEAT_GRAD:
        for (ptrdiff_t i = 0, run = step->u.repeat.n * item; i < positions; i++)
            kernels->colsum(step->u.repeat.times, step->u.repeat.n,
                            x + i * step->u.repeat.times * run, step->u.repeat.n, y + i * run);
        break;
    default:
        break;
    }
}
