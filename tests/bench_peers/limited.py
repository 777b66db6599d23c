"""It has nothing that anybody asks for, and raises when asked for too much."""

import time

from coreops.bench.peers import CannotDo


def start(threads):
    print("noise on the standard output, which is nobody's protocol")
    return "0.1"


def build(case, x, weights):
    if case.name == "sleep":
        time.sleep(60)
    if case.steps:
        raise CannotDo("no layers")
    raise RuntimeError("first line\nsecond line")
