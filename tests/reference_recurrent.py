"""Slow, readable twins of the recurrent cells, in float64."""

import numpy as np
from reference import ACTIVATIONS

GATES = {"lstm": 4, "gru": 3, "gru_before": 3, "simple": 1}


def one_step(kind, z, r, c, h, a="tanh", s="sigmoid"):
    """One row's next (h, c): z is the input's product, r(x) the state's product of x, its columns
    by gate; a and s the activations."""
    a, s = ACTIVATIONS[a], ACTIVATIONS[s]
    u = len(h)
    part = [z[i * u : (i + 1) * u] for i in range(GATES[kind])]
    product = r(h)
    hs = [product[i * u : (i + 1) * u] for i in range(GATES[kind])]
    if kind == "simple":
        return a(part[0] + hs[0]), c
    if kind == "lstm":
        i, f, o = (s(part[g] + hs[g]) for g in (0, 1, 3))
        c = f * c + i * a(part[2] + hs[2])
        return o * a(c), c
    update, reset = s(part[0] + hs[0]), s(part[1] + hs[1])
    inner = reset * hs[2] if kind == "gru" else r(reset * h)[2 * u :]
    candidate = a(part[2] + inner)
    return update * h + (1 - update) * candidate, c


def recurrent(
    kind,
    z,
    r,
    *,
    biases=None,
    mask=None,
    h=None,
    c=None,
    a="tanh",
    s="sigmoid",
    backwards=False,
    turned=False,
    zeros=False,
):
    """z (batch, steps, gates * u), r (u, gates * u), biases (2, gates * u): the results of all
    steps, in the order in which they were made or turned round, and the last h and c."""
    z, r = z.astype(np.float64), r.astype(np.float64)
    batch, steps = z.shape[:2]
    u = len(r)
    shift = np.zeros((2, z.shape[2])) if biases is None else biases.astype(np.float64)
    out = np.zeros((batch, steps, u))
    ends = np.zeros((2, batch, u))
    for b in range(batch):
        hb = np.zeros(u) if h is None else h[b].astype(np.float64)
        cb = np.zeros(u) if c is None else c[b].astype(np.float64)
        last = np.zeros(u)
        for step in range(steps):
            t = steps - 1 - step if backwards else step
            if mask is None or mask[b, t]:
                product = lambda x: x @ r + shift[1]  # noqa: E731
                hb, cb = one_step(kind, z[b, t] + shift[0], product, cb, hb, a, s)
                last = hb
            elif zeros:
                last = np.zeros(u)
            out[b, steps - 1 - step if turned else step] = last
        ends[:, b] = hb, cb
    result = out[:, 0] if turned else out[:, -1]
    return out, result, *ends
