# What is in a plan.

def plan_values(Plan plan, int known=0):
    """The number of values, of which `known` are there for sure."""
    while co_plan_size(plan._c, known) != CO_BAD_PLAN:
        known += 1
    return known


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
