/* trainer.h - what trainer.c keeps and learn.c learns from. */
#ifndef COREOPS_TRAINER_H
#define COREOPS_TRAINER_H

#include "plan.h"

/* Rows that steps kept: n elements for each position of a batch's samples. */
typedef struct co_kept {
    ptrdiff_t n, positions;
    ptrdiff_t rows;             /* of the last run */
    int layout;                 /* CO_KEEP_... */
    size_t bytes, packed_bytes; /* that there is room for */
    char *data, *packed;        /* what the trainer's matmul takes of panels */
} co_kept;

/* A gradient that is summed over chunks of a batch's images, so many each: of a convolution, whose
 * images x and gradients of results dy were kept as rows, or are summed while a run has them at
 * hand. g: that of the weight. */
struct co_chunked {
    void (*sum)(const co_kernels *kernels, const co_chunked *how, ptrdiff_t images, const char *x,
                const char *dy, char *g, char *scratch);
    co_window s;
    ptrdiff_t n, groups, images;
    int at_hand;
    ptrdiff_t scratch; /* bytes that it takes */
    size_t bytes;      /* that there is room for */
    char *sums;        /* owned: the weight's gradient of each chunk */
};

/* A product, or a sum of rows (x < 0), that gives a part of a weight's gradient: what was kept. By
 * number, x has those of the weight's rows to which dy's belong. */
typedef struct co_use {
    int weight, x, dy, by_number;
    co_chunked *chunks; /* owned; NULL: it is not in chunks */
} co_use;

typedef struct co_matrix {
    ptrdiff_t k, n;
    char *w, *panels, *turned; /* gemm's panels of it and of its transpose, if a plan wants them */
    char *packed[2];           /* what the matmul takes of it and of its transpose, */
    int stale[2];              /* and whether it has changed since */
    int learns;
    ptrdiff_t rows; /* of the first of its pieces: none has more */
    co_lesson lesson;
} co_matrix;

/* Rows i .. and columns j .. of a weight. */
typedef struct co_piece {
    int weight;
    ptrdiff_t i, rows, j, columns;
} co_piece;

struct co_trainer {
    const co_kernels *kernels;
    const co_matmul *matmul; /* what multiplies where it suits; NULL: gemm */
    ptrdiff_t item;
    int n_weights, n_kept, n_uses, n_pieces;
    co_matrix *weights;
    co_kept *kept;
    co_use *uses;
    co_piece *pieces;
    ptrdiff_t largest; /* elements of a piece; the first pieces have so many */
    uint64_t version;  /* of the weights: it grows when any of them changes */
    char *scratch;     /* of all workers */
    size_t scratch_bytes;
};

/* Room for the items of a list and one more, which is zero; NULL: no memory. */
void *co_more(void *list_of, int *count, size_t size);
/* Has so many bytes at *room, which has *has of them; what was there may be lost. */
co_status co_room(char **room, size_t *has, size_t bytes);
/* Weight number w has changed: whoever packs it for himself has to do so again. */
void co_trainer_changed(co_trainer *trainer, int w);
/* Packs a piece of a weight, for the next run of the plans. */
void co_trainer_pack_piece(const co_trainer *trainer, const co_piece *piece);

/* chunks.c. Room for the chunks of the next run; and the sum of one, whose images and gradients
 * these are. */
co_status co_trainer_chunks(const co_trainer *trainer, const co_use *use);
void co_trainer_sum_chunk(const co_trainer *trainer, const co_use *use, ptrdiff_t chunk,
                          const char *x, const char *dy, char *scratch);
/* The sums of all chunks that runs have left; and a piece of the sum of them, in order. */
co_status co_trainer_sum_chunks(co_trainer *trainer, int threads);
void co_trainer_add_chunks(const co_trainer *trainer, const co_piece *piece, const co_use *use,
                           char *g, ptrdiff_t ldg);

#endif
