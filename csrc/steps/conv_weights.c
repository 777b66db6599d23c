/* conv_weights.c - the forms of a convolution's weights that are its own: panels of each group, of
 * Winograd's numbers, and of what is turned to take gradients back. In a plan that trains they are
 * made anew before a run, whenever the weights have changed. */
#include <stdlib.h>

#include "../blocks.h"
#include "../execute.h"
#include "conv.h"

/* Whether gemm's panels of the whole weight, which plan or trainer have, do not do. */
static int has_panels(const co_conv *c) { return c->groups > 1 || c->turn.w; }

/* (kh, kw, c / groups, n), the weight of a convolution, to (this one's taps, n / groups, c). */
static void turn(const co_kernels *kernels, const co_conv *c, ptrdiff_t item, const char *w) {
    const co_turn *t = &c->turn;
    const ptrdiff_t inputs = c->n / c->groups, n = c->s.c, part = n / c->groups;
    const co_planes planes = {.m = inputs, .n = part, .ldx = n, .ldy = c->n, .count = 1};
    for (ptrdiff_t ky = 0; ky < c->s.kh; ky++)
        for (ptrdiff_t kx = 0; kx < c->s.kw; kx++) {
            const ptrdiff_t tap = (t->y - ky * t->down) * t->kw + t->x - kx * t->right;
            for (ptrdiff_t g = 0; g < c->groups; g++) {
                const char *from = w + (tap * inputs * n + g * part) * item;
                char *to = t->w + ((ky * c->s.kw + kx) * part * c->n + g * inputs) * item;
                if (item == 4)
                    kernels->transpose_x32(&planes, from, to, 0);
                else
                    kernels->transpose_x64(&planes, from, to, 0);
            }
        }
}

static void fill(const co_kernels *kernels, const co_conv *c, ptrdiff_t item, const char *w) {
    const ptrdiff_t n = c->n / c->groups;
    if (c->turn.w && c->length) {
        turn(kernels, c, item, w);
        w = c->turn.w;
    }
    for (ptrdiff_t g = 0; c->panels && g < c->groups; g++)
        kernels->gemm_pack(c->strips * c->length, n, w + g * n * item, c->n,
                           c->panels + g * c->apart);
    if (c->tiles) kernels->winograd_pack(c->s.c, n, w, c->tiles, c->between / item);
}

/* Room for `count` matrices of k by n in panels, *apart bytes apart; NULL: no memory. */
static char *room(const co_plan *plan, ptrdiff_t count, ptrdiff_t k, ptrdiff_t n,
                  ptrdiff_t *apart) {
    const ptrdiff_t nr = plan->kernels->gemm_nr;
    const ptrdiff_t bytes = co_product(k, co_ceiling(n, nr) * nr * plan->item_bytes);
    if (bytes > CO_MOST_BYTES) return NULL;
    *apart = co_ceiling(bytes, CO_LINE) * CO_LINE;
    if (co_product(count, *apart) > CO_MOST_BYTES) return NULL;
    return co_lines((size_t)(count * *apart));
}

co_status co_conv_pack(co_plan *plan, co_step *step) {
    co_conv *c = step->u.own;
    const int w = step->w[0], bias = step->w[1];
    const ptrdiff_t n = c->n / c->groups;
    if (has_panels(c))
        step->form[0] = c->panels = room(plan, c->groups, c->strips * c->length, n, &c->apart);
    else
        step->form[0] = co_weight_panels(plan, w);
    if (c->way == TILES) c->tiles = room(plan, CO_WINOGRAD_NUMBERS, c->s.c, n, &c->between);
    step->form[1] = bias < 0 ? NULL : co_weight_data(plan, bias);
    if (!step->form[0] || (c->way == TILES && !c->tiles) || (bias >= 0 && !step->form[1]))
        return CO_NO_MEMORY;
    if (!plan->trainer) fill(plan->kernels, c, plan->item_bytes, plan->weights[w].data);
    return CO_OK;
}

co_status co_conv_prepare(const co_job *job, const co_step *step) {
    const co_plan *plan = job->plan;
    co_conv *c = step->u.own;
    if (!plan->trainer || (!c->panels && !c->tiles)) return CO_OK;
    const uint64_t version = co_trainer_version(plan->trainer);
    if (c->version == version) return CO_OK;
    c->version = version;
    fill(plan->kernels, c, plan->item_bytes,
         co_trainer_data(plan->trainer, plan->weights[step->w[0]].number));
    return CO_OK;
}
