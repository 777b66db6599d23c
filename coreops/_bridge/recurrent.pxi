# Recurrent layers as steps of a plan.

cdef dict _CELLS = {"lstm": CO_LSTM, "gru": CO_GRU, "gru_before": CO_GRU_BEFORE,
                    "simple": CO_SIMPLE}


cdef co_act _act_of(tuple step):
    return co_act(ACTIVATIONS[step[0]], step[1], step[2], step[3])


def plan_recurrent(Plan plan not None, int z, str kind, tuple a, tuple s, tuple shape, int r,
                   int biases=-1, *, bint sequences=False, bint backwards=False,
                   bint turned=False, bint zeros=False, int mask=-1, int h0=-1, int c0=-1,
                   int factors=-1, place=None, states=None, bint ends=False):
    """A recurrent layer over z, the product of its inputs, of shape (steps, gates * u).

    kind: of a cell, as csrc/cell.h names them in small letters. a, s: its activations, as pairs of a
    name and p, q, r. shape: (steps, u). r, biases: weights. mask, h0, c0, factors: values. place:
    None, or (into, width, at), the value of another layer's result, -1 for a new one, and which of
    `width` columns are this one's. states: None, or writeable arrays (batch, u) that a run begins
    with and leaves its last states in; the plan takes batches of that size alone. ends: also
    returns the values of the last states.
    Returns the value of the result, or with ends a tuple of it, h and c (-1: none).
    """
    plan._building(True)
    cdef co_rnn how
    how.cell = co_cell(<co_cell_kind><int>_CELLS[kind], _act_of(a), _act_of(s))
    how.steps, how.u = shape
    how.sequences, how.backwards, how.turned, how.zeros = sequences, backwards, turned, zeros
    cdef int into = -1
    cdef void *data
    how.width, how.at = how.u, 0
    if place is not None:
        into, how.width, how.at = place
    how.h = how.c = NULL
    if states is not None:
        for i, array in enumerate(states):
            if not cnp.PyArray_ISCARRAY(<cnp.ndarray?>array) or array.dtype != plan.dtype:
                raise ValueError("internal error: states that cannot be written")
            data = cnp.PyArray_DATA(<cnp.ndarray>array)
            if plan._batch not in (-1, len(array)):
                raise ValueError("internal error: states of two batch sizes")
            plan._batch = len(array)
            plan._alive.append(array)
            if i == 0:
                how.h = data
            else:
                how.c = data
    cdef int last[2]
    last[0] = last[1] = -1
    y = plan._check(co_plan_recurrent(plan._c, z, &how, r, biases, mask, h0, c0, factors, into,
                                      last if ends else NULL))
    if ends:
        return y, last[0], last[1]
    return y


def plan_fill(Plan plan not None, ptrdiff_t size, double value):
    """A constant, `size` times."""
    plan._building(True)
    return plan._check(co_plan_fill(plan._c, size, value))


def plan_pick(Plan plan not None, list values, ptrdiff_t u):
    """Of values (rows, count * u), the i-th u columns of the i-th."""
    plan._building(True)
    cdef int numbers[8]
    for i, value in enumerate(values):
        numbers[i] = value
    return plan._check(co_plan_pick(plan._c, len(values), numbers, u))


def plan_batch(Plan plan not None):
    """The only size of a batch that the plan takes, None if it takes any."""
    return None if plan._batch < 0 else plan._batch
