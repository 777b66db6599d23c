/* winograd.c - weights for kernels/winograd_tpl.h, and when it is worth while. */
#include <stdlib.h>

#include "window.h"

/* Each tile has 36 products of k by n instead of 144; transforming an element costs as much as
 * 300 products, and tiles at the edge are not whole. Measured on 3 to 256 channels; with less than
 * four tiles an image its weights, four times as many, take longer to come. */
int co_winograd_pays(const co_window *s, ptrdiff_t n) {
    if (s->kh != 3 || s->kw != 3 || s->sh != 1 || s->sw != 1 || s->dh != 1 || s->dw != 1) return 0;
    const double tiles =
        (double)(co_ceiling(s->oh, CO_WINOGRAD_TILE) * co_ceiling(s->ow, CO_WINOGRAD_TILE));
    const double products = (double)s->c * (double)n;
    const double direct = 9 * products * (double)(s->oh * s->ow);
    return tiles >= 4 && tiles * (36 * products + 300 * (double)(s->c + n)) < 0.8 * direct;
}

/* What pixels are evaluated at, a kernel is interpolated from: the powers of each point, over its
 * distances from the others. */
static void interpolation(double g[6][3]) {
    const double p = CO_WINOGRAD_P, q = CO_WINOGRAD_Q, points[] = {0, p, -p, q, -q};
    for (int i = 0; i < 5; i++) {
        double distances = 1;
        for (int j = 0; j < 5; j++) distances *= j == i ? 1 : points[i] - points[j];
        g[i][0] = 1 / distances;
        g[i][1] = points[i] / distances;
        g[i][2] = points[i] * points[i] / distances;
    }
    g[5][0] = g[5][1] = 0;
    g[5][2] = 1;
}

static double element(const void *w, ptrdiff_t i, ptrdiff_t item) {
    return item == 4 ? (double)((const float *)w)[i] : ((const double *)w)[i];
}

co_status co_winograd_pack(const co_kernels *kernels, ptrdiff_t k, ptrdiff_t n, ptrdiff_t item,
                           const void *w, char *panels, ptrdiff_t apart) {
    double g[6][3];
    void *matrix = malloc((size_t)(k * n * item));
    if (!matrix) return CO_NO_MEMORY;
    interpolation(g);
    for (int number = 0; number < CO_WINOGRAD_NUMBERS; number++) {
        const double *down = g[number / 6], *across = g[number % 6];
        for (ptrdiff_t i = 0; i < k * n; i++) {
            double sum = 0;
            for (int tap = 0; tap < 9; tap++)
                sum += down[tap / 3] * across[tap % 3] * element(w, tap * k * n + i, item);
            if (item == 4)
                ((float *)matrix)[i] = (float)sum;
            else
                ((double *)matrix)[i] = sum;
        }
        kernels->gemm_pack(k, n, matrix, n, panels + number * apart);
    }
    free(matrix);
    return CO_OK;
}
