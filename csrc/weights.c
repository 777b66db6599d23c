/* weights.c - the weights of a plan, in the forms that kernels take. */
#include <stdlib.h>
#include <string.h>

#include "blocks.h"
#include "parallel.h"
#include "plan.h"

static int add_weight(co_plan *plan, co_weights weight) {
    co_weights *weights =
        realloc(plan->weights, (size_t)(plan->n_weights + 1) * sizeof *plan->weights);
    if (!weights) return CO_NO_MEMORY;
    plan->weights = weights;
    weights[plan->n_weights] = weight;
    atomic_init(&weights[plan->n_weights].packed, NULL);
    return plan->n_weights++;
}

int co_plan_weight(co_plan *plan, ptrdiff_t k, ptrdiff_t n, int item_bytes, const void *data) {
    if (k < 0 || n < 0 || (item_bytes != 1 && item_bytes != plan->item_bytes)) return CO_BAD_PLAN;
    /* a wide bound on what panels, with sums of int8 ones, take */
    const ptrdiff_t most = CO_MOST_BYTES / plan->item_bytes;
    if (n > most / 64 || co_product(k + 64, n + 64) > most) return CO_NO_MEMORY;
    return add_weight(
        plan, (co_weights){.k = k, .n = n, .number = -1, .item_bytes = item_bytes, .data = data});
}

int co_plan_own_weight(co_plan *plan, ptrdiff_t k, ptrdiff_t n) {
    const int w = co_plan_weight(plan, k, n, plan->item_bytes, NULL);
    if (w < 0) return w;
    const size_t bytes = (size_t)(k * n * plan->item_bytes);
    plan->weights[w].data = plan->weights[w].copy = malloc(bytes ? bytes : 1);
    return plan->weights[w].copy ? w : CO_NO_MEMORY;
}

int co_plan_learning(co_plan *plan, int number) {
    ptrdiff_t k;
    const ptrdiff_t n = co_trainer_size(plan->trainer, number, &k);
    return add_weight(
        plan, (co_weights){.k = k, .n = n, .number = number, .item_bytes = plan->item_bytes});
}

int co_is_weight(const co_plan *plan, int w, int item_bytes) {
    return w >= 0 && w < plan->n_weights && plan->weights[w].item_bytes == item_bytes;
}

int co_is_vector(const co_plan *plan, int w, ptrdiff_t n) {
    return w == -1 || (co_is_weight(plan, w, plan->item_bytes) && plan->weights[w].k == 1 &&
                       plan->weights[w].n == n);
}

const void *co_weight_data(co_plan *plan, int w) {
    co_weights *weight = &plan->weights[w];
    if (weight->number >= 0) return co_trainer_data(plan->trainer, weight->number);
    const size_t bytes = (size_t)(weight->k * weight->n * weight->item_bytes);
    if (weight->copy) return weight->copy;
    weight->copy = malloc(bytes ? bytes : 1);
    if (weight->copy && bytes) memcpy(weight->copy, weight->data, bytes);
    return weight->copy;
}

static ptrdiff_t panel_bytes(const co_plan *plan, const co_weights *weight) {
    const ptrdiff_t nr = plan->kernels->gemm_nr;
    return (weight->n + nr - 1) / nr * nr * weight->k * weight->item_bytes;
}

const void *co_weight_panels(co_plan *plan, int w) {
    co_weights *weight = &plan->weights[w];
    const co_kernels *kernels = plan->kernels;
    if (weight->number >= 0) return co_trainer_panels(plan->trainer, weight->number);
    if (weight->panels) return weight->panels;
    if (weight->item_bytes == 1) {
        weight->panels = co_lines((size_t)kernels->qgemm_bytes(weight->k, weight->n));
        if (weight->panels)
            kernels->qgemm_pack(weight->k, weight->n, weight->data, weight->n, weight->panels);
    } else {
        weight->panels = co_lines((size_t)panel_bytes(plan, weight));
        if (weight->panels)
            kernels->gemm_pack(weight->k, weight->n, weight->data, weight->n, weight->panels);
    }
    return weight->panels;
}

const void *co_weight_dots(co_plan *plan, int w) {
    co_weights *weight = &plan->weights[w];
    if (weight->dots) return weight->dots;
    weight->dots = co_lines((size_t)panel_bytes(plan, weight));
    if (weight->dots)
        plan->kernels->dots_pack(weight->k, weight->n, weight->data, weight->n, weight->dots);
    return weight->dots;
}

const void *co_weight_turned(co_plan *plan, int w) {
    co_weights *weight = &plan->weights[w];
    const co_kernels *kernels = plan->kernels;
    const ptrdiff_t nr = kernels->gemm_nr, k = weight->k, n = weight->n, item = weight->item_bytes;
    if (weight->number >= 0) return co_trainer_turned(plan->trainer, weight->number);
    if (weight->turned) return weight->turned;
    const ptrdiff_t bytes = (k + nr - 1) / nr * nr * n * item;
    weight->turned = co_lines((size_t)bytes);
    if (!weight->turned) return NULL;
    memset(weight->turned, 0, (size_t)bytes); /* columns that are missing stay zero */
    for (ptrdiff_t i = 0; i < k; i += nr) {
        const co_planes planes = {
            .m = k - i < nr ? k - i : nr, .n = n, .ldx = n, .ldy = nr, .count = 1};
        const char *x = (const char *)weight->data + i * n * item;
        char *y = (char *)weight->turned + i * n * item;
        if (item == 4)
            kernels->transpose_x32(&planes, x, y, 0);
        else
            kernels->transpose_x64(&planes, x, y, 0);
    }
    return weight->turned;
}

const void *co_weight_recur(co_plan *plan, int w, ptrdiff_t bytes) {
    co_weights *weight = &plan->weights[w];
    if (weight->recur) return weight->recur;
    weight->recur = co_lines((size_t)bytes);
    if (weight->recur)
        plan->kernels->recur_pack(weight->k, weight->n / weight->k, weight->data, weight->recur);
    return weight->recur;
}

typedef struct packing {
    const co_matmul *matmul;
    ptrdiff_t k, n;
    const char *panels;
    char *packed;
} packing;

static void pack_panel(void *context, int worker, ptrdiff_t panel) {
    const packing *p = context;
    const ptrdiff_t nr = p->matmul->nr, first = panel * nr, left = p->n - first;
    (void)worker;
    p->matmul->pack(p->k, left < nr ? left : nr,
                    p->panels + first * p->k * (ptrdiff_t)sizeof(float),
                    p->packed + p->matmul->bytes(p->k, first));
}

/* 5 elements a nanosecond, most from the last cache. */
void co_pack_panels(const co_matmul *matmul, ptrdiff_t k, ptrdiff_t n, const void *panels,
                    void *packed, int threads) {
    packing all = {matmul, k, n, panels, packed};
    const ptrdiff_t count = (n + matmul->nr - 1) / matmul->nr;
    co_parallel(count, co_team(count, (double)(k * n) / 5, threads), pack_panel, &all);
}

co_status co_weight_pack(const co_plan *plan, int w, int turned, int threads) {
    const co_matmul *matmul = plan->matmul;
    co_weights *weight = &plan->weights[w];
    if (weight->number >= 0)
        return co_trainer_pack_for(plan->trainer, weight->number, turned, threads);
    if (atomic_load(&weight->packed)) return CO_OK;
    void *packed = co_lines((size_t)matmul->bytes(weight->k, weight->n)), *none = NULL;
    if (!packed) return CO_NO_MEMORY;
    co_pack_panels(matmul, weight->k, weight->n, weight->panels, packed, threads);
    if (!atomic_compare_exchange_strong(&weight->packed, &none, packed)) free(packed);
    return CO_OK;
}

const void *co_weight_packed(const co_plan *plan, int w, int turned) {
    co_weights *weight = &plan->weights[w];
    return weight->number < 0 ? atomic_load(&weight->packed)
                              : co_trainer_packed(plan->trainer, weight->number, turned);
}

int co_weight_learns(const co_plan *plan, int w) {
    return w >= 0 && plan->trainer && co_trainer_learns(plan->trainer, plan->weights[w].number);
}

void co_weights_finish(co_plan *plan) {
    for (int w = 0; w < plan->n_weights; w++) plan->weights[w].data = NULL;
}

void co_weights_free(co_plan *plan) {
    for (int w = 0; w < plan->n_weights; w++) {
        free(plan->weights[w].copy);
        free(plan->weights[w].panels);
        free(plan->weights[w].turned);
        free(plan->weights[w].dots);
        free(plan->weights[w].recur);
        free(atomic_load(&plan->weights[w].packed));
    }
    free(plan->weights);
}
