/* trainer.c - weights that learn: their panels, and what plans keep for their gradients. */
#include "trainer.h"

#include <stdlib.h>
#include <string.h>

#include "blocks.h"

void *co_more(void *list_of, int *count, size_t size) {
    void *list; /* a pointer to whatever the items are */
    memcpy(&list, list_of, sizeof list);
    void *grown = realloc(list, (size_t)(*count + 1) * size);
    if (!grown) return NULL;
    memcpy(list_of, &grown, sizeof grown);
    return memset((char *)grown + (size_t)(*count)++ * size, 0, size);
}

co_status co_room(char **room, size_t *has, size_t bytes) {
    if (*room && bytes <= *has) return CO_OK;
    free(*room);
    *room = co_lines(bytes);
    *has = *room ? bytes : 0;
    return *room ? CO_OK : CO_NO_MEMORY;
}

co_trainer *co_trainer_create(const co_kernels *kernels, co_precision precision) {
    co_trainer *trainer = calloc(1, sizeof *trainer);
    if (!trainer) return NULL;
    trainer->kernels = kernels;
    trainer->matmul = kernels->matmul[precision];
    trainer->item = kernels->real_bits / 8;
    return trainer;
}

void co_trainer_destroy(co_trainer *trainer) {
    if (!trainer) return;
    for (int i = 0; i < trainer->n_weights; i++) {
        free(trainer->weights[i].panels);
        free(trainer->weights[i].turned);
        for (int turned = 0; turned < 2; turned++) free(trainer->weights[i].packed[turned]);
    }
    for (int i = 0; i < trainer->n_kept; i++) {
        free(trainer->kept[i].data);
        free(trainer->kept[i].packed);
    }
    for (int i = 0; i < trainer->n_uses; i++) {
        if (trainer->uses[i].chunks) free(trainer->uses[i].chunks->sums);
        free(trainer->uses[i].chunks);
    }
    free(trainer->weights);
    free(trainer->kept);
    free(trainer->uses);
    free(trainer->pieces);
    free(trainer->scratch);
    free(trainer);
}

int co_trainer_weight(co_trainer *trainer, ptrdiff_t k, ptrdiff_t n, void *w) {
    co_matrix *weight = co_more(&trainer->weights, &trainer->n_weights, sizeof *weight);
    if (!weight) return CO_NO_MEMORY;
    *weight = (co_matrix){.k = k, .n = n, .w = w};
    return trainer->n_weights - 1;
}

void co_trainer_teach(co_trainer *trainer, int w, const co_lesson *lesson) {
    co_matrix *weight = &trainer->weights[w];
    weight->learns = lesson != NULL;
    if (lesson) weight->lesson = *lesson;
}

int co_trainer_learns(const co_trainer *trainer, int w) {
    return w >= 0 && trainer->weights[w].learns;
}

ptrdiff_t co_trainer_size(const co_trainer *trainer, int w, ptrdiff_t *k) {
    *k = trainer->weights[w].k;
    return trainer->weights[w].n;
}

void *co_trainer_data(const co_trainer *trainer, int w) { return trainer->weights[w].w; }

/* Panels of a k by n matrix. Columns that are missing in the last one stay zero. */
static char *panels_for(const co_trainer *trainer, ptrdiff_t k, ptrdiff_t n) {
    const ptrdiff_t nr = trainer->kernels->gemm_nr;
    const size_t bytes = (size_t)((n + nr - 1) / nr * nr * k * trainer->item);
    char *panels = co_lines(bytes);
    return panels ? memset(panels, 0, bytes) : NULL;
}

void *co_trainer_panels(co_trainer *trainer, int w) {
    co_matrix *weight = &trainer->weights[w];
    if (!weight->panels) weight->panels = panels_for(trainer, weight->k, weight->n);
    return weight->panels;
}

void *co_trainer_turned(co_trainer *trainer, int w) {
    co_matrix *weight = &trainer->weights[w];
    if (!weight->turned) weight->turned = panels_for(trainer, weight->n, weight->k);
    return weight->turned;
}

const co_matmul *co_trainer_matmul(const co_trainer *trainer) { return trainer->matmul; }

co_status co_trainer_pack_for(co_trainer *trainer, int w, int turned, int threads) {
    co_matrix *weight = &trainer->weights[w];
    const ptrdiff_t k = turned ? weight->n : weight->k, n = turned ? weight->k : weight->n;
    if (!weight->packed[turned]) {
        weight->packed[turned] = co_lines((size_t)trainer->matmul->bytes(k, n));
        if (!weight->packed[turned]) return CO_NO_MEMORY;
    } else if (!weight->stale[turned]) {
        return CO_OK;
    }
    co_pack_panels(trainer->matmul, k, n, turned ? weight->turned : weight->panels,
                   weight->packed[turned], threads);
    weight->stale[turned] = 0;
    return CO_OK;
}

const void *co_trainer_packed(const co_trainer *trainer, int w, int turned) {
    return trainer->weights[w].packed[turned];
}

void co_trainer_changed(co_trainer *trainer, int w) {
    trainer->version++;
    trainer->weights[w].stale[0] = trainer->weights[w].stale[1] = 1;
}

co_status co_trainer_use(co_trainer *trainer, int w, int x, int dy, int by_number) {
    co_use *use = co_more(&trainer->uses, &trainer->n_uses, sizeof *use);
    if (!use) return CO_NO_MEMORY;
    *use = (co_use){w, x, dy, by_number, NULL};
    return CO_OK;
}

int co_trainer_use_chunks(co_trainer *trainer, int w, int x, int dy, const co_chunked *how) {
    co_chunked *chunks = malloc(sizeof *chunks);
    co_use *use = chunks ? co_more(&trainer->uses, &trainer->n_uses, sizeof *use) : NULL;
    if (!use) {
        free(chunks);
        return CO_NO_MEMORY;
    }
    *chunks = *how;
    *use = (co_use){w, x, dy, 0, chunks};
    return trainer->n_uses - 1;
}

size_t co_trainer_bytes(const co_trainer *trainer) {
    size_t bytes = trainer->scratch_bytes;
    for (int i = 0; i < trainer->n_kept; i++)
        bytes += trainer->kept[i].bytes + trainer->kept[i].packed_bytes;
    for (int u = 0; u < trainer->n_uses; u++)
        if (trainer->uses[u].chunks) bytes += trainer->uses[u].chunks->bytes;
    return bytes;
}

uint64_t co_trainer_version(const co_trainer *trainer) { return trainer->version; }

/* ---------------------------------------------------------------------------- what is kept */

int co_trainer_keep(co_trainer *trainer, ptrdiff_t n, ptrdiff_t positions, int layout) {
    co_kept *kept = co_more(&trainer->kept, &trainer->n_kept, sizeof *kept);
    if (!kept) return CO_NO_MEMORY;
    *kept = (co_kept){.n = n, .positions = positions, .layout = layout};
    return trainer->n_kept - 1;
}

co_status co_trainer_room(co_trainer *trainer, int number, ptrdiff_t batch) {
    co_kept *kept = &trainer->kept[number];
    const ptrdiff_t nr = trainer->kernels->gemm_nr;
    const ptrdiff_t n = kept->layout == CO_KEEP_PANELS ? (kept->n + nr - 1) / nr * nr : kept->n;
    const ptrdiff_t item = kept->layout == CO_KEEP_COUNT ? 0 : trainer->item;
    const ptrdiff_t sample = n * kept->positions * item;
    if (sample && batch > PTRDIFF_MAX / 2 / sample) return CO_NO_MEMORY;
    kept->rows = batch * kept->positions;
    return co_room(&kept->data, &kept->bytes, (size_t)(batch * sample));
}

static void transpose(const co_trainer *trainer, ptrdiff_t m, ptrdiff_t n, const char *x,
                      ptrdiff_t ldx, char *y, ptrdiff_t ldy) {
    const co_planes planes = {.m = m, .n = n, .ldx = ldx, .ldy = ldy, .count = 1};
    if (trainer->item == 4)
        trainer->kernels->transpose_x32(&planes, x, y, 0);
    else
        trainer->kernels->transpose_x64(&planes, x, y, 0);
}

static ptrdiff_t least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

/* Rows i .. i + rows - 1, columns j .. j + columns - 1 of x[.., ldx], which lies at (i, j), into
 * panels of a matrix of k rows. j is the first column of a panel. */
static void pack(const co_trainer *trainer, ptrdiff_t k, ptrdiff_t i, ptrdiff_t rows, ptrdiff_t j,
                 ptrdiff_t columns, const char *x, ptrdiff_t ldx, char *panels) {
    const ptrdiff_t nr = trainer->kernels->gemm_nr, item = trainer->item;
    for (ptrdiff_t c = 0; c < columns; c += nr)
        trainer->kernels->gemm_pack(rows, columns - c < nr ? columns - c : nr, x + c * item, ldx,
                                    panels + ((j + c) * k + i * nr) * item);
}

void co_trainer_kept(const co_trainer *trainer, int kept, ptrdiff_t first, ptrdiff_t rows,
                     const char *x) {
    const co_kept *to = &trainer->kept[kept];
    if (to->layout == CO_KEEP_PANELS)
        pack(trainer, to->rows, first, rows, 0, to->n, x, to->n, to->data);
    else if (to->layout == CO_KEEP_ROWS)
        memcpy(to->data + first * to->n * trainer->item, x, (size_t)(rows * to->n * trainer->item));
    else
        transpose(trainer, rows, to->n, x, to->n, to->data + first * trainer->item, to->rows);
}

char *co_trainer_rows(const co_trainer *trainer, int kept) { return trainer->kept[kept].data; }

void co_trainer_pack_piece(const co_trainer *trainer, const co_piece *piece) {
    const co_matrix *weight = &trainer->weights[piece->weight];
    const ptrdiff_t nr = trainer->kernels->gemm_nr, item = trainer->item, n = weight->n;
    const char *w = weight->w + (piece->i * n + piece->j) * item;
    if (weight->panels)
        pack(trainer, weight->k, piece->i, piece->rows, piece->j, piece->columns, w, n,
             weight->panels);
    if (!weight->turned) return;
    for (ptrdiff_t i = piece->i, end = i + piece->rows, next; i < end; i = next) {
        next = least((i / nr + 1) * nr, end); /* the end of the transpose's panel */
        char *to = weight->turned + ((i / nr * n + piece->j) * nr + i % nr) * item;
        transpose(trainer, next - i, piece->columns, w + (i - piece->i) * n * item, n, to, nr);
    }
}

void co_trainer_pack(co_trainer *trainer, int w) {
    const co_matrix *weight = &trainer->weights[w];
    co_trainer_changed(trainer, w);
    if (weight->k && weight->n)
        co_trainer_pack_piece(trainer, &(co_piece){w, 0, weight->k, 0, weight->n});
}
