# What is in a finished plan.

def plan_steps(Plan plan):
    """Kind, first result and estimated nanoseconds of a sample, of each step."""
    cdef int i = 0, value = 0
    cdef double ns = 0
    cdef const char *kind = co_plan_step(plan._c, i, &value, &ns)
    steps = []
    while kind != NULL:
        steps.append((kind.decode(), value, ns))
        i += 1
        kind = co_plan_step(plan._c, i, &value, &ns)
    return steps
