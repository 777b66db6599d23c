/* permute.c - axes merged, then moved by planes, by runs or one by one, whichever is fastest. */
#include <stdlib.h>
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
    p->size /= n;
    p->item_bytes = (int)wide;
    return count;
}

/* Loops outermost first: one whose step is small on either side comes late, for a line that a step
 * leaves half read or half written is then met again while it is in the cache. */
static void add_loop(co_permutation *p, axis_t axis) {
    const ptrdiff_t least = axis.x < axis.y ? axis.x : axis.y;
    int at = p->loops++;
    for (; at > 0; at--) {
        const co_loop *before = &p->loop[at - 1];
        if ((before->x < before->y ? before->x : before->y) >= least) break;
        p->loop[at] = *before;
    }
    p->loop[at] = axis;
}

/* The innermost loop becomes the kernel's. */
static void give_loop(co_permutation *p) {
    p->planes.count = 1;
    if (p->loops == 0) return;
    const co_loop *last = &p->loop[--p->loops];
    p->planes.count = last->count;
    p->planes.next_x = last->x;
    p->planes.next_y = last->y;
}

/* A stretch of the result that is looked up has no more elements than this. */
enum { MOST_LOOKED_UP = 2048 };

/* Whether a plane of m by n takes longer than to look up its elements, 0.28 ns each on the machine
 * where this was measured. Planes of so few rows are slow, and so are wide elements. */
static int is_tiny(ptrdiff_t m, ptrdiff_t n, int item_bytes) {
    return m * n <= (m < 4 ? 48 : item_bytes == 8 ? 40 : 20);
}

/* The last axes of the result that fit are a stretch, with a part of the axis before them: of that
 * the kernel's loop is over parts, the last of which may be short. Where all axes fit, a stretch
 * is as many samples as fit, and no such loop is left (count 0). */
static void look_up(co_permutation *p, const axis_t *out, int first, int count) {
    ptrdiff_t n = 1, part;
    int inner = count;
    while (inner > first && n * out[inner - 1].count <= MOST_LOOKED_UP) n *= out[--inner].count;
    for (int i = first; i < inner - 1; i++) add_loop(p, out[i]);
    part = MOST_LOOKED_UP / n;
    axis_t axis = {1, p->size, p->size};
    if (inner > first) {
        axis = out[inner - 1];
        p->planes.count = (axis.count + part - 1) / part;
        p->planes.m = (axis.count - (p->planes.count - 1) * part) * n;
        p->planes.next_x = part * axis.x;
        p->planes.next_y = part * axis.y;
    }
    p->way = CO_WAY_LOOK_UP;
    p->planes.n = part * n;
    for (ptrdiff_t i = 0; i < p->planes.n; i++) {
        ptrdiff_t left = i, from = 0;
        for (int a = count - 1; a >= inner; a--) {
            from += left % out[a].count * out[a].x;
            left /= out[a].count;
        }
        p->from[i] = (int32_t)(from + left * axis.x);
    }
}

/* Chooses the way for the axes from `first` on, of which at least one is left. */
static void choose(co_permutation *p, const axis_t *out, int first, int count) {
    const axis_t *last = &out[count - 1], *row = last; /* innermost in y, in x */
    for (int i = first; i < count; i++)
        if (out[i].x == 1) row = &out[i];
    if (row != last && is_tiny(last->count, row->count, p->item_bytes) && p->size <= INT32_MAX) {
        look_up(p, out, first, count);
        return;
    }
    for (int i = first; i < count; i++)
        if (&out[i] != row && &out[i] != last) add_loop(p, out[i]);
    if (row != last) {
        p->way = CO_WAY_TRANSPOSE;
        give_loop(p);
        p->planes.m = last->count;
        p->planes.n = row->count;
        p->planes.ldx = last->x;
        p->planes.ldy = row->y;
        return;
    }
    p->way = CO_WAY_COPY;
    give_loop(p);
    p->planes.m = p->planes.count;
    p->planes.n = row->count * p->item_bytes;
    p->planes.ldx = p->planes.next_x * p->item_bytes;
    p->planes.ldy = p->planes.next_y * p->item_bytes;
}

co_status co_permutation_create(co_permutation **made, ptrdiff_t *positions, int item_bytes,
                                int rank, const ptrdiff_t *shape, const int *axes) {
    axis_t out[CO_MAX_RANK];
    if (!is_permutation(rank, axes)) return CO_BAD_PLAN;
    int count = merge(rank, shape, axes, out), first = 0;
    if (count < 0) return CO_BAD_PLAN;
    co_permutation *p = malloc(sizeof *p + MOST_LOOKED_UP * sizeof p->from[0]);
    if (!p) return CO_NO_MEMORY;
    *p = (co_permutation){.way = CO_WAY_COPY, .item_bytes = item_bytes, .size = 1};
    *made = p;
    *positions = 1;
    for (int i = 0; i < rank; i++) p->size *= shape[i];
    if (p->size == 0) return CO_OK;
    if (count && out[0].x == out[0].y) { /* the first axis stays where it is */
        *positions = out[0].count;
        p->size /= out[0].count;
        first = 1;
    }
    if (count > first) {
        count = widen(p, out, count);
        choose(p, out, first, count);
    } else { /* nothing moves: one element, or one a position */
        p->planes = (co_planes){.m = 1, .n = item_bytes};
    }
    return CO_OK;
}

#define LOOK_UP(bits)                                                                              \
    static void look_up_##bits(ptrdiff_t n, const int32_t *from, const char *x, char *y) {         \
        for (ptrdiff_t i = 0; i < n; i++)                                                          \
            memcpy(y + i * (bits / 8), x + from[i] * (ptrdiff_t)(bits / 8), bits / 8);             \
    }
LOOK_UP(8)
LOOK_UP(16)
LOOK_UP(32)
LOOK_UP(64)

static void move(const co_kernels *kernels, const co_permutation *p, const co_planes *planes,
                 const char *x, char *y, int stream) {
    if (p->way == CO_WAY_COPY) {
        kernels->copy_rows(planes->m, planes->n, x, planes->ldx, y, planes->ldy, stream);
        return;
    }
    const int look = p->way == CO_WAY_LOOK_UP;
    switch (p->item_bytes) {
    case 1:
        if (look)
            look_up_8(planes->n, p->from, x, y);
        else
            kernels->transpose_x8(planes, x, y, stream);
        break;
    case 2:
        if (look)
            look_up_16(planes->n, p->from, x, y);
        else
            kernels->transpose_x16(planes, x, y, stream);
        break;
    case 4:
        if (look)
            look_up_32(planes->n, p->from, x, y);
        else
            kernels->transpose_x32(planes, x, y, stream);
        break;
    default:
        if (look)
            look_up_64(planes->n, p->from, x, y);
        else
            kernels->transpose_x64(planes, x, y, stream);
        break;
    }
}

/* All the loops, for the planes that are given. */
static void run_loops(const co_kernels *kernels, const co_permutation *p, const co_planes *planes,
                      const char *x, char *y, int stream) {
    ptrdiff_t index[CO_MAX_RANK] = {0};
    for (int axis = 0; axis >= 0;) {
        move(kernels, p, planes, x, y, stream);
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

void co_permute(const co_kernels *kernels, const co_permutation *p, ptrdiff_t positions,
                const char *x, char *y, int stream) {
    const ptrdiff_t item = p->item_bytes, bytes = p->size * item;
    co_planes planes = p->planes;
    if (bytes == 0) return;
    if (p->way == CO_WAY_LOOK_UP && planes.count == 0) {
        for (ptrdiff_t left = positions * p->size; left > 0; left -= planes.n) {
            if (planes.n > left) planes.n = left;
            move(kernels, p, &planes, x, y, stream);
            x += planes.n * item, y += planes.n * item;
        }
        return;
    }
    if (p->way == CO_WAY_TRANSPOSE && p->loops == 0 && planes.count == 1) {
        planes.count = positions;
        planes.next_x = planes.next_y = p->size;
        positions = 1;
    }
    for (ptrdiff_t i = 0; i < positions; i++, x += bytes, y += bytes) {
        if (p->way != CO_WAY_LOOK_UP) {
            run_loops(kernels, p, &planes, x, y, stream);
            continue;
        }
        for (ptrdiff_t part = 0; part < planes.count; part++) {
            planes.n = part < planes.count - 1 ? p->planes.n : planes.m;
            run_loops(kernels, p, &planes, x + part * planes.next_x * item,
                      y + part * planes.next_y * item, stream);
        }
    }
}
