"""Its results are off."""

from coreops.bench.peers import numpy

start = numpy.start


def build(case, x, weights):
    built = numpy.build(case, x, weights)
    right = built.call
    built.call = lambda: right() + 0.01
    return built


def train(case, x, weights):
    if case.random:
        raise AssertionError("it was wrong before")
    built = numpy.train(case, x, weights)
    right = built.call
    built.call = lambda: right() + 0.01
    return built
