/* normalize_tpl.h - normalisation by channels and by rows, and their gradients. Needs sums_tpl.h.
 */
#ifndef COREOPS_NORMALIZE_TPL_H
#define COREOPS_NORMALIZE_TPL_H

#include "sums_tpl.h"

/* -------------------------------------------------------------------------- by channels */

CO_INLINE vreal affine_of(vreal x, const real *center, const real *scale, const real *shift,
                          ptrdiff_t i, ptrdiff_t lanes) {
    const vreal s = v_load_lanes(scale + i, lanes);
    const vreal v = center ? v_sub(x, v_load_lanes(center + i, lanes)) : x;
    return shift ? v_fma(v, s, v_load_lanes(shift + i, lanes)) : v_mul(v, s);
}

static void affine_row(ptrdiff_t n, const real *x, const real *center, const real *scale,
                       const real *shift, real *y) {
    ptrdiff_t i = 0;
    for (; i + VL <= n; i += VL)
        v_store(y + i, affine_of(v_load(x + i), center, scale, shift, i, VL));
    if (i < n)
        v_store_tail(y + i, affine_of(v_load_tail(x + i, n - i), center, scale, shift, i, n - i),
                     n - i);
}

/* Each channel has a run of its own. */
static void affine_runs(ptrdiff_t m, ptrdiff_t n, ptrdiff_t run, const real *x, const real *center,
                        const real *scale, const real *shift, real *y) {
    for (ptrdiff_t i = 0; i < m; i++)
        for (ptrdiff_t c = 0; c < n; c++, x += run, y += run) {
            const vreal minus = center ? v_set1(center[c]) : V(0), s = v_set1(scale[c]);
            const vreal plus = shift ? v_set1(shift[c]) : V(-0.0);
            for (ptrdiff_t j = 0; j < run; j += VL) {
                const ptrdiff_t lanes = v_lanes(run - j);
                const vreal v = v_sub(v_load_lanes(x + j, lanes), minus);
                v_store_lanes(y + j, v_fma(v, s, plus), lanes);
            }
        }
}

/* Rows so short are done several at a time, by factors that repeat; so many, if they are enough for
 * that, that they end with a vector. */
#define AFFINE_SHORT 64
#define AFFINE_LONG 256

static const real *affine_repeat(ptrdiff_t rows, ptrdiff_t n, const real *x, real *repeated) {
    if (!x) return NULL;
    for (ptrdiff_t r = 0; r < rows; r++) memcpy(repeated + r * n, x, (size_t)n * sizeof *x);
    return repeated;
}

static void affine(ptrdiff_t m, ptrdiff_t n, ptrdiff_t run, const void *x, const void *center,
                   const void *scale, const void *shift, void *y) {
    const real *xr = x, *minus = center, *times = scale, *plus = shift;
    real *yr = y, repeated[3][AFFINE_LONG];
    ptrdiff_t rows = 1;
    if (run != 1) {
        affine_runs(m, n, run, xr, minus, times, plus, yr);
        return;
    }
    if (m > 1 && n > 0 && n <= AFFINE_SHORT) {
        ptrdiff_t even = VL;
        for (ptrdiff_t d = n; even > 1 && d % 2 == 0; d /= 2) even /= 2;
        rows = AFFINE_LONG / n;
        rows = rows < even ? rows : rows / even * even;
        rows = rows < m ? rows : m;
        minus = affine_repeat(rows, n, minus, repeated[0]);
        times = affine_repeat(rows, n, times, repeated[1]);
        plus = affine_repeat(rows, n, plus, repeated[2]);
    }
    for (; m > 0; m -= rows, xr += rows * n, yr += rows * n)
        affine_row((m < rows ? m : rows) * n, xr, minus, times, plus, yr);
}

/* `vectors` columns of vectors, the last of which has the first lanes only. So many rows are summed
 * in reals, and these sums are then added to those in double. */
#define CHANNEL_ROWS 32

/* The rows that count. */
static ptrdiff_t channel_rows(ptrdiff_t rows, const uint8_t *mask) {
    ptrdiff_t count = mask ? 0 : rows;
    for (ptrdiff_t i = 0; mask && i < rows; i++) count += mask[i] != 0;
    return count;
}

/* Squares are of what is left when the rows' own mean is taken off. Returns how many rows have been
 * counted then. */
CO_INLINE double moment_columns(const int vectors, ptrdiff_t last, ptrdiff_t m, ptrdiff_t n,
                                const uint8_t *mask, const real *x, double count, double *mean,
                                double *squares) {
    for (ptrdiff_t rows; m > 0; m -= rows, x += rows * n, mask = mask ? mask + rows : NULL) {
        vreal center[4], sum[4], square[4];
        real made[3][4 * VL];
        rows = m < CHANNEL_ROWS ? m : CHANNEL_ROWS;
        const ptrdiff_t counted = channel_rows(rows, mask);
        if (!counted) continue;
        const double own = (double)counted, share = own / (count + own), both = count * share;
        CO_UNROLL
        for (int k = 0; k < vectors; k++) center[k] = sum[k] = square[k] = V(0);
        for (ptrdiff_t i = 0; i < rows; i++) {
            if (mask && !mask[i]) continue;
            CO_UNROLL
            for (int k = 0; k < vectors; k++)
                center[k] =
                    v_add(center[k], v_load_lanes(x + i * n + k * VL, k + 1 < vectors ? VL : last));
        }
        CO_UNROLL
        for (int k = 0; k < vectors; k++) {
            center[k] = v_mul(center[k], v_set1((real)(1 / own)));
            v_store(made[0] + k * VL, center[k]);
        }
        for (ptrdiff_t i = 0; i < rows; i++) {
            if (mask && !mask[i]) continue;
            CO_UNROLL
            for (int k = 0; k < vectors; k++) {
                const ptrdiff_t lanes = k + 1 < vectors ? VL : last;
                const vreal v = v_sub(v_load_lanes(x + i * n + k * VL, lanes), center[k]);
                sum[k] = v_add(sum[k], v);
                square[k] = v_fma(v, v, square[k]);
            }
        }
        CO_UNROLL
        for (int k = 0; k < vectors; k++) {
            v_store(made[1] + k * VL, sum[k]);
            v_store(made[2] + k * VL, square[k]);
        }
        for (ptrdiff_t j = 0; j < (vectors - 1) * VL + last; j++) {
            const double left = made[1][j], apart = made[0][j] + left / own - mean[j];
            mean[j] += apart * share;
            squares[j] += made[2][j] - left * left / own + apart * apart * both;
        }
        count += own;
    }
    return count;
}

static double channel_moments(ptrdiff_t m, ptrdiff_t n, const uint8_t *mask, const void *x,
                              double count, double *mean, double *squares) {
    const real *xr = x;
    double counted = count;
    ptrdiff_t j = 0;
    for (; j + 4 * VL <= n; j += 4 * VL)
        counted = moment_columns(4, VL, m, n, mask, xr + j, count, mean + j, squares + j);
    for (; j < n; j += VL)
        counted =
            moment_columns(1, v_lanes(n - j), m, n, mask, xr + j, count, mean + j, squares + j);
    return counted;
}

CO_INLINE void channel_columns(const int vectors, ptrdiff_t last, ptrdiff_t m, ptrdiff_t n,
                               const real *x, const real *dy, const real *center, double *sums,
                               double *products) {
    for (ptrdiff_t rows; m > 0; m -= rows, x += rows * n, dy += rows * n) {
        vreal sum[4], product[4], minus[4];
        real made[2][4 * VL];
        rows = m < CHANNEL_ROWS ? m : CHANNEL_ROWS;
        CO_UNROLL
        for (int k = 0; k < vectors; k++) {
            sum[k] = product[k] = V(0);
            minus[k] = v_load_lanes(center + k * VL, k + 1 < vectors ? VL : last);
        }
        for (ptrdiff_t i = 0; i < rows; i++) {
            CO_UNROLL
            for (int k = 0; k < vectors; k++) {
                const ptrdiff_t lanes = k + 1 < vectors ? VL : last, at = i * n + k * VL;
                const vreal v = v_sub(v_load_lanes(x + at, lanes), minus[k]);
                const vreal by = v_load_lanes(dy + at, lanes);
                sum[k] = v_add(sum[k], by);
                product[k] = v_fma(v, by, product[k]);
            }
        }
        CO_UNROLL
        for (int k = 0; k < vectors; k++) {
            v_store(made[0] + k * VL, sum[k]);
            v_store(made[1] + k * VL, product[k]);
        }
        for (ptrdiff_t j = 0; j < (vectors - 1) * VL + last; j++) {
            sums[j] += made[0][j];
            products[j] += made[1][j];
        }
    }
}

static void channel_sums(ptrdiff_t m, ptrdiff_t n, const void *x, const void *dy,
                         const void *center, double *sums, double *products) {
    const real *xr = x, *dyr = dy, *minus = center;
    ptrdiff_t j = 0;
    for (; j + 4 * VL <= n; j += 4 * VL)
        channel_columns(4, VL, m, n, xr + j, dyr + j, minus + j, sums + j, products + j);
    for (; j < n; j += VL)
        channel_columns(1, v_lanes(n - j), m, n, xr + j, dyr + j, minus + j, sums + j,
                        products + j);
}

static void channel_grad(ptrdiff_t m, ptrdiff_t n, const uint8_t *mask, const void *x,
                         const void *dy, const void *center, const void *a, const void *b,
                         const void *c, void *dx) {
    const real *xr = x, *dyr = dy, *minus = center, *ar = a, *br = b, *cr = c;
    real *dxr = dx;
    for (ptrdiff_t i = 0; i < m; i++, xr += n, dyr += n, dxr += n) {
        const int counts = !mask || mask[i];
        for (ptrdiff_t j = 0; j < n; j += VL) {
            const ptrdiff_t lanes = v_lanes(n - j);
            const vreal v = v_sub(v_load_lanes(xr + j, lanes), v_load_lanes(minus + j, lanes));
            const vreal by_mean = v_load_lanes(cr + j, lanes);
            const vreal by_both = v_fma(v, v_load_lanes(br + j, lanes), by_mean);
            const vreal d = v_mul(v_load_lanes(ar + j, lanes), v_load_lanes(dyr + j, lanes));
            v_store_lanes(dxr + j, counts ? v_add(d, by_both) : d, lanes);
        }
    }
}

/* ------------------------------------------------------------------------------ by rows */

/* The mean of a row, and 1 / sqrt(variance + epsilon), in every lane. */
CO_INLINE void row_moments(ptrdiff_t n, const real *x, double epsilon, vreal *mean, vreal *scale) {
    const vreal count = v_set1((real)n);
    vreal square[4] = {V(0), V(0), V(0), V(0)};
    *mean = v_div(sum_of_row(n, x, NULL), count);
    ptrdiff_t i = 0;
    for (; i + 4 * VL <= n; i += 4 * VL) {
        CO_UNROLL
        for (int k = 0; k < 4; k++) {
            const vreal d = v_sub(v_load(x + i + k * VL), *mean);
            square[k] = v_fma(d, d, square[k]);
        }
    }
    for (; i < n; i += VL) {
        const ptrdiff_t lanes = v_lanes(n - i);
        const vreal d = v_sub(v_load_lanes(x + i, lanes), *mean);
        const vreal own = lanes == VL ? d : v_select(v_first(lanes), d, V(0));
        square[0] = v_fma(own, own, square[0]);
    }
    const vreal all = v_add(v_add(square[0], square[1]), v_add(square[2], square[3]));
    const vreal variance = v_div(v_sum_of(all, VL), count);
    *scale = v_div(V(1), v_sqrt(v_add(variance, V(epsilon))));
}

static void layer_norm(ptrdiff_t m, ptrdiff_t n, const void *x, const void *gamma, const void *beta,
                       double epsilon, void *y) {
    const real *xr = x, *times = gamma, *plus = beta;
    real *yr = y;
    for (ptrdiff_t row = 0; row < m; row++, xr += n, yr += n) {
        vreal mean, scale;
        row_moments(n, xr, epsilon, &mean, &scale);
        for (ptrdiff_t i = 0; i < n; i += VL) {
            const ptrdiff_t lanes = v_lanes(n - i);
            vreal v = v_mul(v_sub(v_load_lanes(xr + i, lanes), mean), scale);
            if (times) v = v_mul(v, v_load_lanes(times + i, lanes));
            if (plus) v = v_add(v, v_load_lanes(plus + i, lanes));
            v_store_lanes(yr + i, v, lanes);
        }
    }
}

/* With g = dy gamma and h = (x - mean) scale, the row normalised:
 * dx = scale (g - mean of g - h mean of g h). */
static void layer_norm_grad(ptrdiff_t m, ptrdiff_t n, const void *x, const void *gamma,
                            const void *dy, double epsilon, void *dx, void *dgamma) {
    const real *xr = x, *dyr = dy, *times = gamma;
    real *dxr = dx, *dgr = dgamma;
    for (ptrdiff_t row = 0; row < m; row++, xr += n, dyr += n) {
        const vreal count = v_set1((real)n);
        vreal mean, scale, sum = V(0), product = V(0);
        row_moments(n, xr, epsilon, &mean, &scale);
        for (ptrdiff_t i = 0; dxr && i < n; i += VL) {
            const ptrdiff_t lanes = v_lanes(n - i);
            const vreal h = v_mul(v_sub(v_load_lanes(xr + i, lanes), mean), scale);
            vreal g = v_load_lanes(dyr + i, lanes); /* 0 past the row */
            if (times) g = v_mul(g, v_load_lanes(times + i, lanes));
            sum = v_add(sum, g);
            product = v_fma(g, h, product);
        }
        sum = v_div(v_sum_of(sum, VL), count);
        product = v_div(v_sum_of(product, VL), count);
        for (ptrdiff_t i = 0; i < n; i += VL) {
            const ptrdiff_t lanes = v_lanes(n - i);
            const vreal h = v_mul(v_sub(v_load_lanes(xr + i, lanes), mean), scale);
            vreal g = v_load_lanes(dyr + i, lanes);
            if (dgr) v_store_lanes(dgr + i, v_mul(g, h), lanes);
            if (!dxr) continue;
            if (times) g = v_mul(g, v_load_lanes(times + i, lanes));
            v_store_lanes(dxr + i, v_mul(scale, v_sub(v_sub(g, sum), v_mul(h, product))), lanes);
        }
        if (dxr) dxr += n;
        if (dgr) dgr += n;
    }
}

#endif
