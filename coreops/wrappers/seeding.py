"""Random numbers of one fit, without a trace in everybody else's."""

from __future__ import annotations

import random as python_random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from .. import random, utils


@contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Let all that draws without a seed of its own draw from `seed` inside; None changes nothing.

    The generators are those of the process: fits that are to repeat must not overlap in threads.
    """
    if seed is None:
        yield
        return
    python_state = python_random.getstate()
    numpy_state = np.random.get_state()  # noqa: NPY002 - what `set_random_seed` sets
    stream = random.reset_global_generator()
    try:
        utils.set_random_seed(seed)
        yield
    finally:
        python_random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.reset_global_generator(stream)
