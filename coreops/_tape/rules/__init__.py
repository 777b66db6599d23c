"""How gradients go back through each op: vector-Jacobian products, by the op's name.

A rule is called as `rule(dy, y, *args, **kwargs)` with the gradient of the result (of a list or
tuple of results: the list of theirs), the result, and what the op was called with. It returns the
gradient of the first argument, which may still be broadcast, and of a wider type: the tape sums
and casts. A tuple holds one rule for each argument, None where the result does not vary with it
smoothly. Rules of ops that take a sequence of arrays return a sequence of gradients.
"""

from .basic import Each as Each
from .elementwise import RULES as _elementwise
from .linalg import RULES as _linalg
from .nn import RULES as _nn
from .ordering import RULES as _ordering
from .reduction import RULES as _reduction
from .shaping import RULES as _shaping

RULES = {**_elementwise, **_linalg, **_nn, **_ordering, **_reduction, **_shaping}

# Ops whose results are floats but steps, or do not hang on the argument's values at all.
CONSTANT = {
    "angle", "ceil", "empty_like", "floor", "floor_divide", "heaviside",
    "imag", "multi_hot", "one_hot", "ones_like", "round", "sign", "stop_gradient", "trunc",
    "zeros_like",
}  # fmt: skip

# Ops whose first argument is a sequence of arrays, each with its own gradient.
SEQUENCES = {"concatenate", "dstack", "hstack", "select", "stack", "vstack"}
