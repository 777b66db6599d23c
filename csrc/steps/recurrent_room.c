/* recurrent_room.c - how many rows and steps of time run at once, and what room they need. */
#include "recurrent.h"

/* Rows of the weights of a step of time are read once for each of these: as many as keep gates and
 * states in L2, and fill the tiles of gemm. The call's rows are shared out evenly. */
ptrdiff_t co_rnn_rows(const co_job *job, const co_step *step, ptrdiff_t *grain) {
    (void)grain;
    const ptrdiff_t mr = job->plan->kernels->gemm_mr, most = (42 + mr - 1) / mr * mr;
    const ptrdiff_t rows = co_positions(job, step, job->units), chunks = (rows + most - 1) / most;
    return chunks ? (rows + chunks - 1) / chunks : most;
}

/* A few rows make their products of several steps of time at once, which fill tiles as rows do. */
enum { FEW_ROWS = 6, PIECE_BYTES = 32 * 1024 };

ptrdiff_t co_rnn_piece(const co_recurrent *own, ptrdiff_t m, ptrdiff_t item) {
    if (own->f < 0 || m > FEW_ROWS) return 1;
    const ptrdiff_t fitting = PIECE_BYTES / (m * own->gates * own->how.u * item);
    const ptrdiff_t steps = fitting > 8 ? fitting : 8;
    return steps < own->how.steps ? steps : own->how.steps;
}

co_rnn_layout co_rnn_lay_out(const co_recurrent *own, ptrdiff_t m, ptrdiff_t item, int masked) {
    const ptrdiff_t u = own->how.u, gates = own->gates * u;
    co_rnn_layout lay = {0};
    lay.h = co_rnn_room(&lay.all, m * u);
    lay.h1 = co_rnn_room(&lay.all, m * u);
    lay.c = co_rnn_room(&lay.all, m * u);
    lay.r = co_rnn_room(&lay.all, m * gates);
    lay.r3 = co_rnn_room(&lay.all, own->how.cell.kind == CO_GRU_BEFORE ? m * gates : 0);
    lay.operands = co_rnn_room(&lay.all, own->apart ? m * own->parts * u : 0);
    lay.none = co_rnn_room(&lay.all, gates);
    lay.z = co_rnn_room(&lay.all, co_rnn_piece(own, m, item) * m * gates);
    lay.some_h = co_rnn_room(&lay.all, masked ? m * u : 0);
    lay.some_c = co_rnn_room(&lay.all, masked ? m * u : 0);
    lay.some_x = co_rnn_room(&lay.all, masked ? m * co_rnn_width(own) : 0);
    return lay;
}

int co_rnn_by_matmul(const co_job *job, const co_step *step, int w) {
    return step->w[w] >= 0 && co_by_matmul(job, step->w[w], 0, co_positions(job, step, job->units));
}

co_status co_rnn_prepare(const co_job *job, const co_step *step) {
    co_status status = CO_OK;
    for (int w = RNN_R; w <= RNN_KERNEL; w += RNN_KERNEL - RNN_R)
        if (status == CO_OK && co_rnn_by_matmul(job, step, w))
            status = co_weight_pack(job->plan, step->w[w], 0, job->threads);
    return status;
}

/* Bytes that m rows take. */
static ptrdiff_t room_of(const co_job *job, const co_step *step, ptrdiff_t m) {
    const co_recurrent *own = step->u.own;
    const ptrdiff_t item = job->plan->item_bytes;
    ptrdiff_t most = 0;
    for (int w = RNN_R; w <= RNN_KERNEL; w += RNN_KERNEL - RNN_R) {
        if (!co_rnn_by_matmul(job, step, w)) continue;
        const ptrdiff_t rows = m > FEW_ROWS ? m : co_rnn_piece(own, m, item);
        const ptrdiff_t bytes = job->plan->matmul->scratch(rows, job->plan->weights[step->w[w]].k);
        if (bytes > most) most = bytes;
    }
    return co_rnn_lay_out(own, m, item, step->in[RNN_MASK] >= 0).all * item + most;
}

/* Few rows may take more than many: the last block may be of fewer. */
ptrdiff_t co_rnn_scratch(const co_job *job, const co_step *step, ptrdiff_t units) {
    const ptrdiff_t last = units > 0 ? co_positions(job, step, job->units % units) : 0;
    const ptrdiff_t room = room_of(job, step, co_positions(job, step, units));
    const ptrdiff_t last_room = last > 0 ? room_of(job, step, last) : 0;
    return room > last_room ? room : last_room;
}
