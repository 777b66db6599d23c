"""PyTorch on images: modules, eager or traced and frozen, with channels first or last in memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from ..cases import Case, Dense, Weights
from ..images import (
    NORMALIZE_EPSILON,
    Conv,
    Depthwise,
    Flatten,
    Normalize,
    Pool,
    channels_first,
    padding,
)
from . import Built, CannotDo

ACTIVATIONS: dict[str, Callable[[], Any]] = {
    "relu": lambda: torch.nn.ReLU(inplace=True),
    "softmax": lambda: torch.nn.Softmax(-1),
}


FORMATS = {"last": torch.channels_last, "first": torch.contiguous_format}


def networks(
    case: Case, x: np.ndarray, weights: Weights
) -> dict[str, Callable[[], tuple[Any, Any]]]:
    """Return what makes a network to train, whose loss has the softmax, and its input, in either
    order of memory."""

    def make(form: Any) -> tuple[Any, Any]:
        own = [tuple(array.copy() for array in pair) for pair in weights]  # it is learnt in place
        *layers, _ = _module(case, own)
        model = torch.nn.Sequential(*layers).train().requires_grad_().to(memory_format=form)
        image = torch.from_numpy(x).permute(0, 3, 1, 2)
        return model, image.contiguous(memory_format=form)

    return {f", channels {where}": partial(make, form) for where, form in FORMATS.items()}


def ways(case: Case, x: np.ndarray, weights: Weights) -> dict[str, Callable[[], Built]]:
    """Return the ways to build a case; those of memory that suit best are tried."""
    image = torch.from_numpy(x).permute(0, 3, 1, 2)
    return {
        f"{how}, channels {where}": partial(
            build, case, image.contiguous(memory_format=form), weights, form
        )
        for where, form in FORMATS.items()
        for how, build in (("eager", _eager), ("trace", _trace))
    }


def _eager(case: Case, t: Any, weights: Weights, form: Any) -> Built:
    model = _module(case, weights).to(memory_format=form)
    return Built(lambda: model(t))


def _trace(case: Case, t: Any, weights: Weights, form: Any) -> Built:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(_module(case, weights).to(memory_format=form), t)
        model = torch.jit.optimize_for_inference(torch.jit.freeze(traced))
        for _ in range(3):
            model(t)
    return Built(lambda: model(t))


def _module(case: Case, weights: Weights) -> Any:
    layers: list[Any] = []
    pairs = iter(channels_first(case.walk(), weights))
    for step, before, _ in case.walk():
        if isinstance(step, Conv | Depthwise):
            layers += _convolution(step, before, *next(pairs))
        elif isinstance(step, Pool):
            pool = torch.nn.AvgPool2d if step.average else torch.nn.MaxPool2d
            layers.append(pool(step.size))
        elif isinstance(step, Normalize):
            layer = torch.nn.BatchNorm2d(before[-1], NORMALIZE_EPSILON, 0.01)
            layers += [_filled(layer, *next(pairs)), ACTIVATIONS[step.activation or ""]()]
        elif isinstance(step, Flatten):
            layers.append(torch.nn.Flatten())
        elif isinstance(step, Dense):
            kernel, bias = next(pairs)
            layers.append(_filled(torch.nn.Linear(*kernel.shape), kernel.T, bias))
            layers.append(ACTIVATIONS[step.activation or ""]())
        else:
            raise CannotDo(f"no {type(step).__name__} here")
    return torch.nn.Sequential(*layers).eval()


def _filled(layer: Any, kernel: np.ndarray, bias: np.ndarray) -> Any:
    values = torch.from_numpy(np.ascontiguousarray(kernel))
    layer.weight = torch.nn.Parameter(values, requires_grad=False)
    layer.bias = torch.nn.Parameter(torch.from_numpy(bias), requires_grad=False)
    return layer


def _convolution(step: Any, before: Any, kernel: np.ndarray, bias: np.ndarray) -> list[Any]:
    (above, below), (left, right) = (padding(step, n) for n in before[1:3])
    even = above == below and left == right
    groups = before[-1] if isinstance(step, Depthwise) else 1
    layer = torch.nn.Conv2d(
        *(before[-1], len(bias), step.size, step.strides, (above, left) if even else 0),
        groups=groups,
    )
    first = [] if even else [torch.nn.ZeroPad2d((left, right, above, below))]
    last = [ACTIVATIONS[step.activation]()] if step.activation else []
    return [*first, _filled(layer, kernel, bias), *last]
