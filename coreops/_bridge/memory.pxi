# New arrays: large ones get their memory from csrc/blocks.c, by NumPy's data-memory handlers (NEP 49).

cdef extern from *:
    """
    #include "blocks.h"

    static void *co_handler_malloc(void *context, size_t bytes) {
        (void)context;
        return co_block_take(bytes);
    }
    static void *co_handler_calloc(void *context, size_t count, size_t bytes) {
        void *block = bytes && count > (size_t)-1 / bytes ? NULL : co_block_take(count * bytes);
        (void)context;
        return block ? memset(block, 0, count * bytes) : NULL;
    }
    static void *co_handler_realloc(void *context, void *block, size_t bytes) {
        (void)context;
        return block ? co_block_resize(block, bytes) : co_block_take(bytes);
    }
    static void co_handler_free(void *context, void *block, size_t bytes) {
        (void)context, (void)bytes;
        co_block_give(block);
    }
    /* An array keeps a reference to its handler: whoever frees it, wherever, gives it back here. */
    static PyDataMem_Handler co_handler = {
        "coreops", 1,
        {NULL, co_handler_malloc, co_handler_calloc, co_handler_realloc, co_handler_free}};
    """
    void *PyDataMem_DefaultHandler
    void *co_handler_address "&co_handler"
    enum: CO_BLOCK_LEAST, CO_BLOCKS_KEPT
    size_t co_blocks_kept()

cdef object _blocks = PyCapsule_New(co_handler_address, "mem_handler", NULL)
BLOCKS_KEPT = CO_BLOCKS_KEPT  # bytes of freed results, at most


def blocks_kept():
    """The bytes of freed results that are kept for the next ones."""
    return co_blocks_kept()


cdef cnp.ndarray empty_array(int rank, cnp.npy_intp *dims, int type_num, double bytes):
    """A new C-contiguous array, which will have so many bytes."""
    if bytes < CO_BLOCK_LEAST:
        return cnp.PyArray_EMPTY(rank, dims, type_num, 0)
    before = cnp.PyDataMem_SetHandler(_blocks)
    try:
        if <void *>before != PyDataMem_DefaultHandler:  # somebody else minds where arrays lie
            cnp.PyDataMem_SetHandler(before)
        return cnp.PyArray_EMPTY(rank, dims, type_num, 0)
    finally:
        cnp.PyDataMem_SetHandler(before)
