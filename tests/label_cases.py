"""Makers of labels and predictions: (rng, the predictions' shape) -> the two."""

import numpy as np


def numbers(rng, shape):
    return rng.normal(size=shape), rng.normal(size=shape)


def distributions(rng, shape):
    return tuple(x / x.sum(-1, keepdims=True) for x in rng.random((2, *shape)))


def one_hot(rng, shape):
    return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])], distributions(rng, shape)[1]


def binary(rng, shape):
    return rng.integers(0, 2, shape).astype(float), rng.random(shape)


def counts(rng, shape):
    return rng.poisson(2.0, shape).astype(float), rng.random(shape) * 4


def sparse(rng, shape):
    return rng.integers(0, shape[-1], shape[:-1]), distributions(rng, shape)[1]


def logits(make, most=np.inf):
    def with_logits(rng, shape):
        return make(rng, shape)[0], np.clip(3 * rng.normal(size=shape), -most, most)

    return with_logits


def signs(rng, shape):
    return rng.integers(0, 2, shape) * 2.0 - 1, rng.normal(size=shape)


def embeddings(rng, shape):
    x = rng.normal(size=shape)
    return rng.integers(0, 3, shape[:1]), x / np.linalg.norm(x, axis=-1, keepdims=True)
