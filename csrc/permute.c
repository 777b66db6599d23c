/* permute.c - axes merged, then copied in runs or transposed in planes. */
#include <string.h>

#include "plan.h"

/* An axis of the result: its size and its strides, in elements, in x and y. */
typedef co_loop axis_t;

static int is_permutation(int rank, const int *axes) {
    for (int i = 0; i < rank; i++) {
        if (axes[i] < 0 || axes[i] >= rank) return 0;
        for (int j = 0; j < i; j++)
            if (axes[j] == axes[i]) return 0;
    }
    return 1;
}

/* The result's axes without those of size 1, neighbours that stay together merged.
 * Returns how many are left, or -1 if they are too many. */
static int merge(int rank, const ptrdiff_t *shape, const int *axes, axis_t *out) {
    int count = 0;
    for (int i = 0; i < rank; i++) {
        axis_t axis = {shape[axes[i]], 1, 1};
        if (axis.count == 1) continue;
        for (int a = axes[i] + 1; a < rank; a++) axis.x *= shape[a];
        /* the axis before ends where this one starts: one longer axis */
        if (count && out[count - 1].x == axis.count * axis.x) {
            out[count - 1].count *= axis.count;
            out[count - 1].x = axis.x;
        } else if (count < CO_MAX_RANK) {
            out[count++] = axis;
        } else {
            return -1;
        }
    }
    ptrdiff_t stride = 1;
    for (int i = count - 1; i >= 0; i--) {
        out[i].y = stride;
        stride *= out[i].count;
    }
    return count;
}

/* Drops a last axis that stays last and fits, with its item, a wider element. */
static int widen(co_permutation *p, axis_t *out, int count) {
    const ptrdiff_t wide = count ? out[count - 1].count * p->item_bytes : 0;
    if (!count || out[count - 1].x != 1 || (wide != 2 && wide != 4 && wide != 8)) return count;
    const ptrdiff_t n = out[--count].count;
    for (int i = 0; i < count; i++) {
        out[i].x /= n;
        out[i].y /= n;
    }
    p->item_bytes = (int)wide;
    return count;
}

co_status co_permutation_init(co_permutation *p, ptrdiff_t *positions, int item_bytes, int rank,
                              const ptrdiff_t *shape, const int *axes) {
    axis_t out[CO_MAX_RANK];
    if (!is_permutation(rank, axes)) return CO_BAD_PLAN;
    int count = merge(rank, shape, axes, out), first = 0;
    if (count < 0) return CO_BAD_PLAN;
    *p = (co_permutation){.item_bytes = item_bytes, .n = 1};
    *positions = 1;
    for (int i = 0; i < rank; i++)
        if (shape[i] == 0) {
            p->n = 0;
            return CO_OK;
        }
    if (count && out[0].x == out[0].y) { /* the first axis stays where it is */
        *positions = out[0].count;
        first = 1;
    }
    if (count <= first) return CO_OK; /* nothing moves: one element, or one a position */
    count = widen(p, out, count);
    int row = -1; /* the axis that is the innermost of x */
    for (int i = first; i < count; i++)
        if (out[i].x == 1) row = i;
    p->n = out[row].count;
    if (row != count - 1) {
        p->m = out[count - 1].count;
        p->ldx = out[count - 1].x;
        p->ldy = out[row].y;
    }
    for (int i = first; i < count - 1; i++)
        if (i != row) p->loop[p->loops++] = out[i];
    return CO_OK;
}

static void block(const co_kernels *kernels, const co_permutation *p, const char *x, char *y) {
    if (p->m == 0) {
        memcpy(y, x, (size_t)(p->n * p->item_bytes));
        return;
    }
    switch (p->item_bytes) {
    case 1:
        kernels->transpose_x8(p->m, p->n, x, p->ldx, y, p->ldy);
        break;
    case 2:
        kernels->transpose_x16(p->m, p->n, x, p->ldx, y, p->ldy);
        break;
    case 4:
        kernels->transpose_x32(p->m, p->n, x, p->ldx, y, p->ldy);
        break;
    default:
        kernels->transpose_x64(p->m, p->n, x, p->ldx, y, p->ldy);
        break;
    }
}

void co_permute(const co_kernels *kernels, const co_permutation *p, const char *x, char *y) {
    ptrdiff_t index[CO_MAX_RANK] = {0};
    if (p->n == 0) return;
    for (int axis = 0; axis >= 0;) {
        block(kernels, p, x, y);
        for (axis = p->loops - 1; axis >= 0; axis--) {
            const co_loop *loop = &p->loop[axis];
            x += loop->x * p->item_bytes;
            y += loop->y * p->item_bytes;
            if (++index[axis] < loop->count) break;
            x -= loop->count * loop->x * p->item_bytes;
            y -= loop->count * loop->y * p->item_bytes;
            index[axis] = 0;
        }
    }
}
