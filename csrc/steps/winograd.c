/* winograd.c - when kernels/winograd_tpl.h is worth while. */
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
