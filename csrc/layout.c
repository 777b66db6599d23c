/* layout.c - the end of building a plan: steps are fused, the sample is cut into units, values get
 * their places in the arena. */
#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "plan.h"

/* Whether it has a place of its own, outside the arena. */
static int lies_outside(const co_value *value) { return value->buffer >= 0 || value->kept >= 0; }

/* The number of steps that read each value, and the last of them. */
static int readers(co_plan *plan, int value) {
    int count = 0;
    plan->values[value].last = -1;
    for (int i = 0; i < plan->n_steps; i++) {
        int reads = 0;
        for (int j = 0; j < CO_MOST_IN; j++) reads += plan->steps[i].in[j] == value;
        if (!reads) continue;
        count++;
        plan->values[value].last = i;
    }
    return count;
}

/* Whether anybody reads a result of the step, or may. */
static int is_read(co_plan *plan, const co_step *step) {
    int results = 0;
    for (int j = 0; j < CO_MOST_OUT; j++) {
        const int v = step->out[j];
        if (v < 0) continue;
        results++;
        if (plan->values[v].buffer >= 0 || readers(plan, v)) return 1;
    }
    return !results;
}

static void take_out(co_plan *plan, int i) {
    co_step *step = &plan->steps[i];
    plan->n_steps--;
    memmove(step, step + 1, (size_t)(plan->n_steps + plan->n_dropped - i) * sizeof *step);
}

/* Steps whose results nobody reads go: what turned an image for a layer that then took it as it was
 * before (coreops/_plan/images.py), and what a plan that only takes gradients back has no use for.
 */
static void drop_unread(co_plan *plan) {
    for (int i = plan->n_steps - 1; i >= 0; i--) {
        co_step *step = &plan->steps[i];
        if (is_read(plan, step)) continue;
        const co_step dropped = *step; /* others may have borrowed what it owns */
        take_out(plan, i);
        plan->steps[plan->n_steps + plan->n_dropped++] = dropped;
    }
}

/* A step moves into the one before it when it alone reads that one's result. */
static void join(co_plan *plan) {
    for (int i = 1; i < plan->n_steps; i++) {
        co_step *before = &plan->steps[i - 1], *step = &plan->steps[i];
        const int between = before->out[0];
        if (!step->kind->join || between < 0 || between != step->in[0] ||
            plan->values[between].buffer >= 0 || readers(plan, between) != 1)
            continue;
        const int result = step->out[0];
        if (!step->kind->join(plan, before, step)) continue;
        before->out[0] = result;
        take_out(plan, i);
        i--; /* what moved here comes next */
    }
}

/* The step whose only result is value v, or NULL. */
static const co_step *maker(const co_plan *plan, int v) {
    for (int i = 0; i < plan->n_steps; i++) {
        const co_step *step = &plan->steps[i];
        for (int j = 0; j < CO_MOST_OUT; j++)
            if (step->out[j] == v) return j == 0 ? step : NULL;
    }
    return NULL;
}

/* Whether a step alone reads v, once, and the step that makes it can write rows of n apart. */
static int may_lie_apart(co_plan *plan, const co_step *step, int v, ptrdiff_t n) {
    int uses = 0;
    for (int j = 0; j < CO_MOST_IN; j++) uses += step->in[j] == v;
    if (uses != 1 || plan->values[v].buffer >= 0 || readers(plan, v) != 1) return 0;
    const co_step *made = maker(plan, v);
    return made && made->kind->row && made->kind->row(made) == n;
}

/* What is only to be put into a row with others is made there. A concatenation that has nothing
 * left to do goes. */
static void make_in_place(co_plan *plan) {
    for (int i = plan->n_steps - 1; i >= 0; i--) {
        co_step *step = &plan->steps[i];
        if (!co_step_is_concatenate(step)) continue;
        ptrdiff_t at = 0, left = 0;
        for (int j = 0; j < CO_MOST_IN && step->in[j] >= 0; j++) {
            co_value *value = &plan->values[step->in[j]];
            const ptrdiff_t n = value->size / step->positions;
            if (may_lie_apart(plan, step, step->in[j], n)) {
                value->within = step->out[0];
                value->at = at;
                value->pitch = plan->values[step->out[0]].size / step->positions;
            } else {
                left++;
            }
            at += n;
        }
        if (!left) take_out(plan, i);
    }
}

static ptrdiff_t gcd(ptrdiff_t a, ptrdiff_t b) {
    while (b) {
        ptrdiff_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

/* The largest cut of a sample that suits every step. A step of 0 positions takes
 * any cut of its operands, which have one size. */
static ptrdiff_t units_of(const co_plan *plan) {
    ptrdiff_t units = 0;
    for (int i = 0; i < plan->n_values; i++)
        if (plan->values[i].size == 0) return 1;
    for (int i = 0; i < plan->n_steps; i++) {
        const co_step *step = &plan->steps[i];
        const int v = step->in[0] < 0 ? step->out[0] : step->in[0];
        units = gcd(units, step->positions ? step->positions : plan->values[v].size);
    }
    return units ? units : 1;
}

/* First fit: the lowest offset at which the value meets no other that is alive
 * while it is. A value lives from the step that first writes it to the last that reads it. */
static void place(co_plan *plan, int v, int born, const int *births) {
    co_value *value = &plan->values[v];
    ptrdiff_t bytes = value->size / plan->units * value->item_bytes;
    bytes = (bytes + CO_LINE - 1) / CO_LINE * CO_LINE;
    value->offset = 0;
    for (int again = 1; again;) {
        again = 0;
        for (int o = 1; o < plan->n_values; o++) {
            const co_value *other = &plan->values[o];
            if (o == v || lies_outside(other) || births[o] < 0 || births[o] > born ||
                other->last < born)
                continue;
            ptrdiff_t size = other->size / plan->units * other->item_bytes;
            ptrdiff_t end = other->offset + (size + CO_LINE - 1) / CO_LINE * CO_LINE;
            if (value->offset < end && other->offset < value->offset + bytes) {
                value->offset = end;
                again = 1;
            }
        }
    }
    if (value->offset + bytes > plan->arena) plan->arena = value->offset + bytes;
}

static co_status lay_out_arena(co_plan *plan) {
    int *births = malloc((size_t)plan->n_values * sizeof *births);
    if (!births) return CO_NO_MEMORY;
    for (int v = 0; v < plan->n_values; v++) births[v] = -1; /* not placed yet */
    for (int i = 0; i < plan->n_steps; i++) {
        const co_step *step = &plan->steps[i];
        const co_value *x = step->in[0] < 0 ? NULL : &plan->values[step->in[0]];
        for (int j = 0; j < CO_MOST_OUT; j++) {
            int v = step->out[j];
            if (v >= 0 && plan->values[v].within >= 0) v = plan->values[v].within;
            if (v < 0 || lies_outside(&plan->values[v]) || births[v] >= 0) continue;
            co_value *y = &plan->values[v];
            if (y->last < i) y->last = i; /* nobody reads it, and yet it takes room */
            if (j == 0 && x && step->kind->in_place && !lies_outside(x) && x->last == i)
                y->offset = x->offset;
            else
                place(plan, v, i, births);
            births[v] = i;
        }
    }
    free(births);
    return CO_OK;
}

/* Nanoseconds of a unit's step, from round figures of a current core: 25 GB/s for what is moved.
 * Only the choice of how many threads to wake hangs on it. */
static double estimate(const co_plan *plan, const co_step *step) {
    if (step->kind->cost) return step->kind->cost(plan, step);
    const int v = step->out[0] < 0 ? step->in[0] : step->out[0];
    return 0.04 * (double)(plan->values[v].size / plan->units * plan->values[v].item_bytes);
}

/* Half a typical L2: what is left serves the weights that stream through. Weights that do not fit
 * in there come from further away, at 100 GB/s, once for each block: it is then at least so many
 * rows of gemm's tiles; or, where it is images and few fit, so many that the weights take a
 * sixteenth of the time. */
enum { CO_BLOCK_BYTES = 384 * 1024, CO_BLOCK_TILES = 24, CO_BLOCK_SHARE = 16 };
/* Images that learn have more values than the second cache holds. Small ones, and rows of one for
 * each, are as many as fill gemm's tiles, within so many bytes; or fewer, if products take no more
 * than so many percent longer. */
enum { CO_BLOCK_LEARNING = 8 * 1024 * 1024, CO_BLOCK_LONGER = 10 };

/* The bytes of a step's weights; *rows becomes how many rows of a unit they are multiplied with. */
static ptrdiff_t weight_bytes(const co_plan *plan, const co_step *step, ptrdiff_t *rows) {
    ptrdiff_t weights = 0, n = 0;
    for (int w = 0; w < CO_MOST_WEIGHTS; w++)
        if (step->w[w] >= 0) weights += plan->weights[step->w[w]].k * plan->weights[step->w[w]].n;
    if (step->w[0] >= 0) n = plan->weights[step->w[0]].n;
    *rows = n > 0 && step->out[0] >= 0 ? plan->values[step->out[0]].size / plan->units / n : 0;
    if (step->kind->rows) *rows = step->kind->rows(step) / plan->units;
    return weights * plan->item_bytes;
}

/* The units that stay together: of powers of two the largest is a multiple of the others. */
static ptrdiff_t grain_of(const co_plan *plan) {
    ptrdiff_t most = 1;
    for (int i = 0; i < plan->n_steps; i++) {
        const co_step *step = &plan->steps[i];
        const ptrdiff_t grain = step->kind->grain ? step->kind->grain(plan, step) : 1;
        if (grain > most) most = grain;
    }
    return most;
}

/* What the products of a block take for each unit, in nanoseconds, whose tiles are not all full. */
static double products_ns(const co_plan *plan, ptrdiff_t block) {
    const ptrdiff_t mr = plan->kernels->gemm_mr;
    double ns = 0;
    for (int i = 0; i < plan->n_steps; i++) {
        ptrdiff_t rows;
        weight_bytes(plan, &plan->steps[i], &rows);
        const ptrdiff_t m = block * rows;
        if (m) ns += plan->steps[i].ns * (double)((m + mr - 1) / mr * mr) / (double)m;
    }
    return ns;
}

static ptrdiff_t images_that_learn(const co_plan *plan, ptrdiff_t block, ptrdiff_t most) {
    if (most > plan->kernels->gemm_mr) most = plan->kernels->gemm_mr;
    const double longer = products_ns(plan, most) * (100 + CO_BLOCK_LONGER) / 100;
    if (block < plan->grain) block = plan->grain;
    while (block < most && products_ns(plan, block) > longer) block *= 2;
    return block < most || most < plan->grain ? block : most;
}

static void choose_block(co_plan *plan) {
    ptrdiff_t bytes = plan->arena, most = 0, rows;
    for (int v = 0; v < plan->n_values; v++)
        if (lies_outside(&plan->values[v]))
            bytes += plan->values[v].size / plan->units * plan->values[v].item_bytes;
    plan->ns = 0;
    for (int i = 0; i < plan->n_steps; i++) {
        plan->steps[i].ns = estimate(plan, &plan->steps[i]);
        plan->ns += plan->steps[i].ns;
        weight_bytes(plan, &plan->steps[i], &rows);
        if (rows > most) most = rows;
    }
    ptrdiff_t block = CO_BLOCK_BYTES / (bytes ? bytes : 1), mr = plan->kernels->gemm_mr;
    const int images = block < mr && most > mr;
    for (int i = 0; i < plan->n_steps; i++) {
        const co_step *step = &plan->steps[i];
        const ptrdiff_t weights = weight_bytes(plan, step, &rows);
        if (step->positions == 0 || weights <= CO_BLOCK_BYTES) continue;
        ptrdiff_t least = CO_BLOCK_TILES * mr * plan->units / step->positions;
        if (images) {
            const double share = CO_BLOCK_SHARE * (double)weights / 100 / plan->ns;
            least = rows > mr ? 1 : share < (double)least ? (ptrdiff_t)share : least;
        }
        if (block < least) block = least;
    }
    if (images && plan->trainer) block = images_that_learn(plan, block, CO_BLOCK_LEARNING / bytes);
    if (block > mr) block = block / mr * mr;
    block = block / plan->grain * plan->grain;
    plan->block = block > 0 ? block : plan->grain;
}

co_status co_layout(co_plan *plan) {
    co_status status = CO_OK;
    drop_unread(plan);
    join(plan);
    make_in_place(plan);
    for (int v = 0; v < plan->n_values; v++) readers(plan, v);
    for (int i = 0; i < plan->n_steps && status == CO_OK; i++)
        if (plan->steps[i].kind->pack) status = plan->steps[i].kind->pack(plan, &plan->steps[i]);
    plan->units = units_of(plan);
    plan->grain = grain_of(plan);
    if (status == CO_OK) status = lay_out_arena(plan);
    if (status == CO_OK) choose_block(plan);
    /* What a plan that trains writes it also reads: nothing goes past the cache. */
    plan->cache = plan->trainer ? PTRDIFF_MAX : co_cache_bytes();
    return status;
}
