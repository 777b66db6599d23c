/* merge.c - steps of several operands: sums and their like, concatenations, products of two. */
#include <stdlib.h>
#include <string.h>

#include "../backward.h"
#include "../execute.h"

static const co_kind merge, chosen, scale, either, any, concatenate, part, part_grad, products;

/* -------------------------------------------------------------------- element by element */

int co_plan_merge(co_plan *plan, int x, int y, int how) {
    const ptrdiff_t size = co_plan_operand(plan, x), other = co_plan_operand(plan, y);
    if (size < 0 || other < 0) return (int)(size < 0 ? size : other);
    if (size != other) return CO_BAD_PLAN;
    co_step step = co_step_of(&merge, x, 0);
    step.in[1] = y;
    step.u.merge.how = how;
    return co_plan_append(plan, step, size);
}

static void run_merge(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                      ptrdiff_t units) {
    job->plan->kernels->merge(step->u.merge.how, co_elements(job, step->out[0], units),
                              co_locate(job, arena, step->in[0], first),
                              co_locate(job, arena, step->in[1], first),
                              co_locate(job, arena, step->out[0], first));
}

static int merged_back(co_backward *back, int how, int x, int y) {
    co_step step = co_step_of(&merge, x, 0);
    step.in[1] = y;
    step.u.merge.how = how;
    return co_back_append(back, step, back->plan->values[x].size);
}

int co_back_sum(co_backward *back, int x, int with) {
    return merged_back(back, CO_MERGE_ADD, x, with);
}

static int scaled_back(co_backward *back, int dy, double factor) {
    co_step step = co_step_of(&scale, dy, 0);
    step.u.merge.factor = factor;
    return co_back_append(back, step, back->plan->values[dy].size);
}

/* The part of a gradient dz that goes to the first operand, or the second, which meets `with`. */
static int part_of(co_backward *back, const co_step *step, int dz, int second, int with) {
    const int how = step->u.merge.how;
    if (how == CO_MERGE_ADD) return dz;
    if (how == CO_MERGE_SUBTRACT) return second ? scaled_back(back, dz, -1) : dz;
    if (how == CO_MERGE_MULTIPLY) return merged_back(back, how, dz, with);
    if (how == CO_MERGE_DIVIDE) { /* of z = x / y: dz / y, and -z dz / y */
        const int over = merged_back(back, how, dz, step->in[1]);
        if (!second) return over;
        const int made = merged_back(back, CO_MERGE_MULTIPLY, over, step->out[0]);
        return scaled_back(back, made, -1);
    }
    co_step to = co_step_of(&chosen, dz, 0);
    to.in[1] = step->in[second];
    to.in[2] = with;
    to.u.merge.how = how;
    return co_back_append(back, to, back->plan->values[dz].size);
}

static void merge_back(co_backward *back, const co_step *step) {
    const int dz = back->gradient[step->out[0]], x = step->in[0], y = step->in[1];
    if (back->moves[x]) co_back_add(back, x, part_of(back, step, dz, 0, y));
    if (back->moves[y]) co_back_add(back, y, part_of(back, step, dz, 1, x));
}

static const co_kind merge = {.name = "merge", .in_place = 1, .run = run_merge, .back = merge_back};

static void run_chosen(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                       ptrdiff_t units) {
    job->plan->kernels->chosen(
        step->u.merge.how, co_elements(job, step->out[0], units),
        co_locate(job, arena, step->in[1], first), co_locate(job, arena, step->in[2], first),
        co_locate(job, arena, step->in[0], first), co_locate(job, arena, step->out[0], first));
}

static const co_kind chosen = {.name = "merge gradient", .in_place = 1, .run = run_chosen};

int co_plan_scale(co_plan *plan, int x, double factor) {
    const ptrdiff_t size = co_plan_operand(plan, x);
    if (size < 0) return (int)size;
    co_step step = co_step_of(&scale, x, 0);
    step.u.merge.factor = factor;
    return co_plan_append(plan, step, size);
}

static void run_scale(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                      ptrdiff_t units) {
    job->plan->kernels->vscale(co_elements(job, step->out[0], units),
                               co_locate(job, arena, step->in[0], first),
                               co_locate(job, arena, step->out[0], first), step->u.merge.factor);
}

static void scale_back(co_backward *back, const co_step *step) {
    co_back_through(back, step, &scale, -1);
}

static const co_kind scale = {.name = "scale", .in_place = 1, .run = run_scale, .back = scale_back};

/* --------------------------------------------------------------------------------- masks */

/* The size of a mask, or a status. */
static ptrdiff_t mask_size(const co_plan *plan, int mask) {
    if (mask < 0) return mask;
    if (mask >= plan->n_values || plan->values[mask].item_bytes != 1) return CO_BAD_PLAN;
    return plan->values[mask].size;
}

/* Appends a step whose only result is a mask of so many bytes a sample; returns that. */
static int append_mask(co_plan *plan, co_step step, ptrdiff_t size) {
    step.out[0] = co_plan_value(plan, size, 1);
    if (step.out[0] < 0) return step.out[0];
    const int made = co_plan_append(plan, step, -1);
    return made < 0 ? made : step.out[0];
}

int co_plan_either(co_plan *plan, int x, int y) {
    const ptrdiff_t size = mask_size(plan, x), other = mask_size(plan, y);
    if (size < 0 || other < 0) return (int)(size < 0 ? size : other);
    if (size != other) return CO_BAD_PLAN;
    co_step step = co_step_of(&either, x, 0);
    step.in[1] = y;
    return append_mask(plan, step, size);
}

static void run_either(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                       ptrdiff_t units) {
    const uint8_t *x = (const uint8_t *)co_locate(job, arena, step->in[0], first);
    const uint8_t *y = (const uint8_t *)co_locate(job, arena, step->in[1], first);
    uint8_t *z = (uint8_t *)co_locate(job, arena, step->out[0], first);
    for (ptrdiff_t i = 0, n = co_elements(job, step->out[0], units); i < n; i++) z[i] = x[i] | y[i];
}

static const co_kind either = {.name = "either", .in_place = 1, .run = run_either};

int co_plan_any(co_plan *plan, int mask, ptrdiff_t positions) {
    const ptrdiff_t size = mask_size(plan, mask);
    if (size < 0) return (int)size;
    if (positions < 1 || size % positions) return CO_BAD_PLAN;
    co_step step = co_step_of(&any, mask, positions);
    return append_mask(plan, step, positions);
}

static void run_any(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                    ptrdiff_t units) {
    const uint8_t *x = (const uint8_t *)co_locate(job, arena, step->in[0], first);
    uint8_t *y = (uint8_t *)co_locate(job, arena, step->out[0], first);
    const ptrdiff_t n = job->plan->values[step->in[0]].size / step->positions;
    for (ptrdiff_t i = 0, rows = co_positions(job, step, units); i < rows; i++) {
        y[i] = 0;
        for (ptrdiff_t j = 0; j < n; j++) y[i] |= *x++;
    }
}

static const co_kind any = {.name = "any", .run = run_any};

/* ------------------------------------------------------------------------- concatenation */

int co_plan_concatenate(co_plan *plan, int count, const int *x, ptrdiff_t positions) {
    ptrdiff_t size = 0;
    if (count < 1 || count > CO_MOST_IN || positions < 1) return CO_BAD_PLAN;
    if (x[0] < 0 || x[0] >= plan->n_values) return x[0] < 0 ? x[0] : CO_BAD_PLAN;
    const int item = plan->values[x[0]].item_bytes;
    co_step step = co_step_of(&concatenate, x[0], positions);
    for (int i = 0; i < count; i++) {
        if (x[i] < 0) return x[i];
        if (x[i] >= plan->n_values || plan->values[x[i]].item_bytes != item) return CO_BAD_PLAN;
        if (plan->values[x[i]].size % positions) return CO_BAD_PLAN;
        step.in[i] = x[i];
        size += plan->values[x[i]].size;
    }
    step.out[0] = co_plan_value(plan, size, item);
    if (step.out[0] < 0) return step.out[0];
    const int made = co_plan_append(plan, step, -1);
    return made < 0 ? made : step.out[0];
}

static void run_concatenate(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                            ptrdiff_t units) {
    const co_value *values = job->plan->values;
    const ptrdiff_t rows = co_positions(job, step, units), item = values[step->out[0]].item_bytes;
    const ptrdiff_t row = values[step->out[0]].size / step->positions * item;
    char *y = co_locate(job, arena, step->out[0], first);
    for (int i = 0; i < CO_MOST_IN && step->in[i] >= 0; i++) {
        const ptrdiff_t bytes = values[step->in[i]].size / step->positions * item;
        if (values[step->in[i]].within < 0) /* else it is there */
            job->plan->kernels->copy_rows(rows, bytes, co_locate(job, arena, step->in[i], first),
                                          bytes, y, row, 0);
        y += bytes;
    }
}

int co_step_is_concatenate(const co_step *step) { return step->kind == &concatenate; }

static void concatenate_back(co_backward *back, const co_step *step) {
    const co_value *values = back->plan->values;
    ptrdiff_t at = 0;
    for (int i = 0; i < CO_MOST_IN && step->in[i] >= 0; i++) {
        const int x = step->in[i];
        const ptrdiff_t size = values[x].size;
        if (back->moves[x]) {
            co_step to = co_step_of(&part, back->gradient[step->out[0]], step->positions);
            to.u.n = at;
            co_back_add(back, x, co_back_append(back, to, size));
            values = back->plan->values;
        }
        at += size / step->positions;
    }
}

static const co_kind concatenate = {
    .name = "concatenate", .run = run_concatenate, .back = concatenate_back};

int co_plan_part(co_plan *plan, int x, ptrdiff_t positions, ptrdiff_t at, ptrdiff_t n) {
    if (x < 0) return x;
    if (x >= plan->n_values || positions < 1 || at < 0 || n < 0) return CO_BAD_PLAN;
    const co_value *value = &plan->values[x];
    if (value->size % positions || n > value->size / positions ||
        at > value->size / positions - n || value->item_bytes != plan->item_bytes)
        return CO_BAD_PLAN;
    co_step step = co_step_of(&part, x, positions);
    step.u.n = at;
    return co_plan_append(plan, step, positions * n);
}

/* Of each row, what begins at element n. */
static void run_part(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                     ptrdiff_t units) {
    const co_value *x = &job->plan->values[step->in[0]], *y = &job->plan->values[step->out[0]];
    const ptrdiff_t row = x->size / step->positions * x->item_bytes;
    const ptrdiff_t bytes = y->size / step->positions * x->item_bytes;
    job->plan->kernels->copy_rows(co_positions(job, step, units), bytes,
                                  co_locate(job, arena, step->in[0], first) +
                                      step->u.n * x->item_bytes,
                                  row, co_locate(job, arena, step->out[0], first), bytes, 0);
}

static void part_back(co_backward *back, const co_step *step) {
    co_back_through(back, step, &part_grad, -1);
}

static const co_kind part = {.name = "part", .run = run_part, .back = part_back};

/* Each row where it was taken from, between zeros. */
static void run_part_grad(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                          ptrdiff_t units) {
    const co_value *x = &job->plan->values[step->in[0]], *y = &job->plan->values[step->out[0]];
    const ptrdiff_t rows = co_positions(job, step, units);
    const ptrdiff_t bytes = x->size / step->positions * x->item_bytes;
    const ptrdiff_t row = y->size / step->positions * x->item_bytes;
    char *to = co_locate(job, arena, step->out[0], first);
    memset(to, 0, (size_t)(rows * row));
    job->plan->kernels->copy_rows(rows, bytes, co_locate(job, arena, step->in[0], first), bytes,
                                  to + step->u.n * x->item_bytes, row, 0);
}

static const co_kind part_grad = {.name = "part gradient", .run = run_part_grad};

/* ------------------------------------------------------------------------------ products */

int co_plan_products(co_plan *plan, int x, int y, ptrdiff_t count, ptrdiff_t m, ptrdiff_t n,
                     ptrdiff_t k) {
    const ptrdiff_t size = co_plan_operand(plan, x), other = co_plan_operand(plan, y);
    if (size < 0 || other < 0) return (int)(size < 0 ? size : other);
    if (count < 0 || m < 0 || n < 0 || k < 0 || co_product(count, co_product(m, k)) != size ||
        co_product(count, co_product(n, k)) != other)
        return CO_BAD_PLAN;
    co_step step = co_step_of(&products, x, count);
    step.in[1] = y;
    step.u.products.m = m;
    step.u.products.n = n;
    step.u.products.k = k;
    return co_plan_append(plan, step, co_product(count, co_product(m, n)));
}

static void run_products(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                         ptrdiff_t units) {
    const ptrdiff_t m = step->u.products.m, n = step->u.products.n, k = step->u.products.k;
    const ptrdiff_t item = job->plan->item_bytes;
    const char *x = co_locate(job, arena, step->in[0], first);
    const char *y = co_locate(job, arena, step->in[1], first);
    char *z = co_locate(job, arena, step->out[0], first);
    for (ptrdiff_t i = 0, count = co_positions(job, step, units); i < count; i++)
        job->plan->kernels->products(m, n, k, x + i * m * k * item, y + i * n * k * item,
                                     z + i * m * n * item);
}

/* Each of x[count,rows,columns], turned. */
static int turned(co_backward *back, int x, ptrdiff_t count, ptrdiff_t rows, ptrdiff_t columns) {
    if (back->status != CO_OK) return -1;
    const ptrdiff_t shape[3] = {count, rows, columns};
    const int axes[3] = {0, 2, 1};
    const int made = co_plan_permute(back->plan, x, 3, shape, axes);
    if (made < 0) back->status = (co_status)made;
    return made;
}

static void products_back(co_backward *back, const co_step *step) {
    const ptrdiff_t m = step->u.products.m, n = step->u.products.n, k = step->u.products.k;
    const int dz = back->gradient[step->out[0]], x = step->in[0], y = step->in[1];
    const ptrdiff_t count = step->positions;
    co_step to = *step;
    if (back->moves[x]) { /* dx[i,l] = sum over j of dz[i,j] y[j,l] */
        to.in[0] = dz;
        to.in[1] = turned(back, y, count, n, k);
        to.u.products.n = k;
        to.u.products.k = n;
        co_back_add(back, x, co_back_append(back, to, count * m * k));
    }
    if (back->moves[y]) { /* dy[j,l] = sum over i of dz[i,j] x[i,l] */
        to.in[0] = turned(back, dz, count, m, n);
        to.in[1] = turned(back, x, count, m, k);
        to.u.products.m = n;
        to.u.products.n = k;
        to.u.products.k = m;
        co_back_add(back, y, co_back_append(back, to, count * n * k));
    }
}

/* Eight multiply-adds a nanosecond for each lane's width of 8. */
static double products_cost(const co_plan *plan, const co_step *step) {
    const double count = (double)(step->positions / plan->units);
    const double work = (double)(step->u.products.m * step->u.products.n * step->u.products.k);
    return count * work / plan->kernels->gemm_nr;
}

static const co_kind products = {
    .name = "products", .run = run_products, .back = products_back, .cost = products_cost};
