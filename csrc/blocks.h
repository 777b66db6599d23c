/* blocks.h - memory on cache lines, and blocks for large results: what is given back is kept for
 * the next one of its size. */
#ifndef COREOPS_BLOCKS_H
#define COREOPS_BLOCKS_H

#include <stddef.h>

/* At least so many bytes, for free(), on large pages if they are many; NULL if memory is short. */
void *co_lines(size_t bytes);

/* The C library takes large blocks from the system and soon gives them back, and the faults of
 * their pages can take longer than the kernel that fills them. Below CO_BLOCK_LEAST there are none.
 * No more than CO_BLOCKS_KEPT bytes are kept, the newest ones. All of this is thread-safe, without
 * locks: a child of fork may go on with it. */
enum { CO_BLOCK_LEAST = 256 << 10, CO_BLOCKS_KEPT = 64 << 20 };

/* At least so many bytes, on a cache line; NULL if memory is short. */
void *co_block_take(size_t bytes);
/* The same with so many bytes, maybe elsewhere; NULL if memory is short: the block stays as it is.
 */
void *co_block_resize(void *block, size_t bytes);
void co_block_give(void *block);

/* The bytes that are kept now. */
size_t co_blocks_kept(void);

#endif
