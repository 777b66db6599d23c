"""Its process ends while it is timed."""

import os
import sys

from coreops.bench.peers import Built, numpy

start = numpy.start


def build(case, x, weights):
    right = numpy.build(case, x, weights).call
    left = iter(range(1100))  # enough to build and to answer once

    def call():
        if next(left, None) is None:
            print("last words", file=sys.stderr, flush=True)
            os._exit(3)
        return right()

    return Built(call)
