# Steps of several operands, and their kernels on arrays.

MERGES = {
    "add": CO_MERGE_ADD,
    "subtract": CO_MERGE_SUBTRACT,
    "multiply": CO_MERGE_MULTIPLY,
    "divide": CO_MERGE_DIVIDE,
    "maximum": CO_MERGE_MAXIMUM,
    "minimum": CO_MERGE_MINIMUM,
}
cdef enum:
    MOST_JOINED = 8  # values that one step concatenates


def plan_merge(Plan plan not None, str how, int x, int y):
    """x and y, of one size, element by element; how: one of MERGES."""
    plan._building(True)
    return plan._check(co_plan_merge(plan._c, x, y, MERGES[how]))


def plan_scale(Plan plan not None, int x, double factor):
    """factor * x"""
    plan._building(True)
    return plan._check(co_plan_scale(plan._c, x, factor))


def plan_either(Plan plan not None, int x, int y):
    """The mask that is True where one of two masks is."""
    plan._building(False)
    return plan._check(co_plan_either(plan._c, x, y))


def plan_any(Plan plan not None, int mask, ptrdiff_t positions):
    """A mask as (positions, its own n): for each position whether one of its n is True."""
    plan._building(False)
    return plan._check(co_plan_any(plan._c, mask, positions))


def plan_concatenate(Plan plan not None, list values, ptrdiff_t positions):
    """Values or masks, each as (positions, its own n): of each position, those of all."""
    plan._building(False)
    cdef int some[MOST_JOINED]
    cdef int i
    while len(values) > MOST_JOINED:
        values = [plan_concatenate(plan, values[:MOST_JOINED], positions), *values[MOST_JOINED:]]
    for i in range(len(values)):
        some[i] = values[i]
    return plan._check(co_plan_concatenate(plan._c, len(values), some, positions))


def plan_part(Plan plan not None, int x, ptrdiff_t positions, ptrdiff_t at, ptrdiff_t n):
    """x as (positions, its own n): of each position, the n elements from element `at` on."""
    plan._building(False)
    return plan._check(co_plan_part(plan._c, x, positions, at * plan._words, n * plan._words))


def plan_select(Plan plan not None, int mask, int x, int y=-1):
    """Of each position of a mask, what x has there if the mask is True, or what y has; -1: zeros."""
    plan._building(True)
    return plan._check(co_plan_select(plan._c, mask, x, y))


def plan_products(Plan plan not None, int x, int y, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k,
                  ptrdiff_t count=1):
    """Each of `count` x (m, k) times the transpose of its y (n, k)."""
    plan._building(True)
    return plan._check(co_plan_products(plan._c, x, y, count, m, n, k))
