/* blocks.c - large blocks that were given back wait in a few slots. */
#include "blocks.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

/* Before the bytes of a block lies a line of ours. */
enum { LINE = 64, PAGE = 4096, HUGE_FROM = 4 << 20, SLOTS = 8 };
typedef struct head {
    size_t bytes; /* that the block has, with this line */
} head;

static _Atomic(head *) slots[SLOTS];
static atomic_size_t kept; /* never less than what the slots hold */
static atomic_uint turn;   /* whose block goes when all slots are full */

void *co_lines(size_t bytes) {
    const size_t need = (bytes / LINE + 1) * LINE;
    void *made = aligned_alloc(LINE, need);
#if defined(MADV_HUGEPAGE)
    if (made && need >= HUGE_FROM) {
        const uintptr_t first = ((uintptr_t)made + PAGE - 1) / PAGE * PAGE;
        madvise((void *)first, (uintptr_t)made + need - first, MADV_HUGEPAGE);
    }
#endif
    return made;
}

static head *head_of(void *block) { return (head *)((char *)block - LINE); }

static head *empty(int slot) {
    head *block = atomic_exchange(&slots[slot], NULL);
    if (block) atomic_fetch_sub(&kept, block->bytes);
    return block;
}

static void keep(head *block) {
    const size_t bytes = block->bytes;
    for (int i = 0; i < SLOTS && atomic_load(&kept) + bytes > CO_BLOCKS_KEPT; i++) free(empty(i));
    if (atomic_fetch_add(&kept, bytes) + bytes > CO_BLOCKS_KEPT) {
        atomic_fetch_sub(&kept, bytes);
        free(block);
        return;
    }
    for (int i = 0; i < SLOTS; i++) {
        head *none = NULL;
        if (atomic_compare_exchange_strong(&slots[i], &none, block)) return;
    }
    head *other = atomic_exchange(&slots[atomic_fetch_add(&turn, 1) % SLOTS], block);
    if (other) atomic_fetch_sub(&kept, other->bytes);
    free(other);
}

void *co_block_take(size_t bytes) {
    if (bytes > PTRDIFF_MAX - LINE - PAGE) return NULL;
    const size_t need = (bytes + LINE + PAGE - 1) / PAGE * PAGE;
    for (int i = 0; i < SLOTS; i++) {
        head *found = empty(i);
        if (!found) continue;
        /* a block of twice the size is better left to a result that needs it */
        if (found->bytes >= need && found->bytes / 2 < need) return (char *)found + LINE;
        keep(found);
    }
    head *made = co_lines(need);
    if (!made) return NULL;
    made->bytes = need;
    return (char *)made + LINE;
}

void *co_block_resize(void *block, size_t bytes) {
    const size_t has = head_of(block)->bytes - LINE;
    if (bytes <= has) return block;
    void *other = co_block_take(bytes);
    if (!other) return NULL;
    memcpy(other, block, has);
    co_block_give(block);
    return other;
}

void co_block_give(void *block) {
    if (!block) return;
    head *given = head_of(block);
    if (given->bytes >= CO_BLOCK_LEAST && given->bytes <= CO_BLOCKS_KEPT)
        keep(given);
    else
        free(given);
}

size_t co_blocks_kept(void) { return atomic_load(&kept); }
