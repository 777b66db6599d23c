"""PyTorch in inference mode: eager with F.linear, eager into arrays that are there already, the
packed oneDNN product that its compiler would use, and a frozen trace."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ..cases import ADAM, LSTM, Activation, Case, Dense, Dropout, Masking, Permute, Weights
from . import Built, CannotDo, fastest

Function = Callable[[Any], Any]

ACTIVATIONS: dict[str | None, Function] = {
    None: lambda x: x,
    "relu": torch.relu_,
    "tanh": torch.tanh_,
    "softmax": lambda x: torch.softmax(x, -1),
}
STANDALONE: dict[str, Function] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "softmax": lambda x: torch.softmax(x, -1),
}


def start(threads: int) -> str:
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    return torch.__version__


_mode: Any = None  # what nobody keeps ends at once


def _infer(on: bool) -> None:
    """Leave out what gradients need, until told otherwise."""
    global _mode
    _mode = None
    _mode = torch.inference_mode(on)
    _mode.__enter__()


def build(case: Case, x: np.ndarray, weights: Weights) -> Built:
    _infer(True)
    if case.group == "images":
        from . import torch_images

        return fastest(torch_images.ways(case, x, weights))
    precision = "highest" if case.precision == "int8" else case.precision
    torch.set_float32_matmul_precision(precision)
    dense: dict[str, Callable[[Any, Any, Any, Dense], Function]] = {
        "linear": _linear,
        "addmm": _addmm,
        "onednn": _onednn,
    }
    if not weights:
        dense = {"eager": _linear}
    elif x.ndim != 2:
        del dense["addmm"]
    t = torch.from_numpy(x)
    ways: dict[str, Callable[[], Built]] = {
        how: partial(_chain, case, t, weights, d) for how, d in dense.items()
    }
    if weights:
        ways["trace"] = partial(_trace, case, t, weights)
        if case.precision == "int8":
            ways["int8"] = partial(_int8, case, t, weights)
    return fastest(ways)


def _chain(case: Case, t: Any, weights: Weights, dense: Callable[..., Function]) -> Built:
    stages: list[Function] = []
    pairs, masked = iter(weights), False
    for step, before, shape in case.walk():
        if isinstance(step, Dense):
            kernel, bias = map(torch.from_numpy, next(pairs))
            stages.append(dense(kernel, bias, torch.empty(before), step))
        elif isinstance(step, Activation):
            stages.append(STANDALONE[step.name])
        elif isinstance(step, Permute):
            stages.append(partial(_copy, torch.empty(shape), (0, *step.dims)))
        elif isinstance(step, Masking):
            masked = True
            stages.append(lambda x: x * (x != 0).any(-1, keepdim=True))
        elif isinstance(step, LSTM):
            made = _masked_lstm if masked else _lstm
            stages.append(made(*map(torch.from_numpy, next(pairs))))
        elif isinstance(step, Dropout):
            stages.append(partial(F.dropout, p=step.rate, training=True))
    if not stages:
        stages.append(torch.clone)
    first, *others = stages
    if not others:
        return Built(lambda: first(t))

    def call() -> Any:
        y = first(t)
        for stage in others:
            y = stage(y)
        return y

    return Built(call)


def _lstm(kernel: Any, recurrent: Any, bias: Any) -> Function:
    f, units = len(kernel), len(recurrent)
    module = torch.nn.LSTM(f, units, batch_first=True)
    with torch.no_grad():
        module.weight_ih_l0.copy_(kernel.t())
        module.weight_hh_l0.copy_(recurrent.t())
        module.bias_ih_l0.copy_(bias)
        module.bias_hh_l0.zero_()
    return lambda x: module(x)[1][0][0]


def _masked_lstm(kernel: Any, recurrent: Any, bias: Any) -> Function:
    """Step by step: its LSTM has no mask. What Masking zeroed is skipped."""
    w, r = kernel.t().contiguous(), recurrent.t().contiguous()
    none = torch.zeros_like(bias)

    def call(x: Any) -> Any:
        h = c = torch.zeros(len(x), r.shape[1])
        on = (x != 0).any(-1)
        for t in range(x.shape[1]):
            out, new = torch.lstm_cell(x[:, t], (h, c), w, r, bias, none)
            keep = on[:, t, None]
            h, c = torch.where(keep, out, h), torch.where(keep, new, c)
        return h

    return call


def _copy(out: Any, order: tuple[int, ...], x: Any) -> Any:
    return out.copy_(x.permute(order))


def _linear(kernel: Any, bias: Any, like: Any, step: Dense) -> Function:
    w, after = kernel.t().contiguous(), ACTIVATIONS[step.activation]
    if step.activation is None:
        return lambda x: F.linear(x, w, bias)
    return lambda x: after(F.linear(x, w, bias))


def _addmm(kernel: Any, bias: Any, like: Any, step: Dense) -> Function:
    out, after = torch.empty((like.shape[0], step.units)), ACTIVATIONS[step.activation]
    if step.activation is None:
        return lambda x: torch.addmm(bias, x, kernel, out=out)
    return lambda x: after(torch.addmm(bias, x, kernel, out=out))


def _onednn(kernel: Any, bias: Any, like: Any, step: Dense) -> Function:
    rows = like.numel() // like.shape[-1]
    w = torch.ops.mkldnn._reorder_linear_weight(kernel.t().contiguous(), rows)
    product = torch.ops.mkldnn._linear_pointwise
    if step.activation in ("relu", "tanh"):
        return lambda x: product(x, w, bias, step.activation, [], "")
    after = ACTIVATIONS[step.activation]
    return lambda x: after(product(x, w, bias, "none", [], ""))


def _module(case: Case, weights: Weights) -> Any:
    """A network of dense layers as modules."""
    layers: list[Any] = []
    pairs = iter(weights)
    activations = {"relu": torch.nn.ReLU, "softmax": lambda: torch.nn.Softmax(-1)}
    for step, before, _ in case.walk():
        if not isinstance(step, Dense):
            raise CannotDo("only plain networks are made of modules")
        kernel, bias = map(torch.from_numpy, next(pairs))
        layer = torch.nn.Linear(before[-1], step.units)
        layer.weight = torch.nn.Parameter(kernel.t().contiguous(), requires_grad=False)
        layer.bias = torch.nn.Parameter(bias, requires_grad=False)
        layers.append(layer)
        if step.activation is not None:
            layers.append(activations[step.activation]())
    return torch.nn.Sequential(*layers).eval()


def _trace(case: Case, t: Any, weights: Weights) -> Built:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(_module(case, weights), t)
        model = torch.jit.optimize_for_inference(torch.jit.freeze(traced))
        for _ in range(3):
            model(t)
    return Built(lambda: model(t))


def _int8(case: Case, t: Any, weights: Weights) -> Built:
    with warnings.catch_warnings(), torch.inference_mode(False):
        warnings.simplefilter("ignore")
        quantize = torch.ao.quantization.quantize_dynamic
        model = quantize(_module(case, weights), {torch.nn.Linear}, torch.qint8)
    return Built(lambda: model(t))


def train(case: Case, x: np.ndarray, weights: Weights) -> Built:
    """Modules and a plain loop, with Adam in each of its forms."""
    _infer(False)
    torch.set_float32_matmul_precision(case.precision)
    labels = torch.from_numpy(case.labels().astype(np.int64))
    forms = {"fused": {"fused": True}, "foreach": {"foreach": True}, "loop": {"foreach": False}}
    if x.ndim > 2:
        from . import torch_images

        networks = torch_images.networks(case, x, weights)
    else:
        networks = {"": lambda: (_network(case, weights), torch.from_numpy(x))}
    return fastest(
        {
            f"{how}{where}": partial(_learning, make, labels, form)
            for where, make in networks.items()
            for how, form in forms.items()
        }
    )


def _network(case: Case, weights: Weights) -> Any:
    layers: list[Any] = []
    for step, before, _ in case.walk():
        if isinstance(step, Dense):
            layers.append(torch.nn.Linear(before[-1], step.units))
            if step.activation == "relu":  # softmax is in the loss
                layers.append(torch.nn.ReLU())
        elif isinstance(step, Dropout):
            layers.append(torch.nn.Dropout(step.rate))
    model = torch.nn.Sequential(*layers)
    with torch.no_grad():
        pairs = zip(model.parameters(), (a for pair in weights for a in pair), strict=True)
        for parameter, array in pairs:
            parameter.copy_(torch.from_numpy(array.T))
    return model


def _learning(make: Callable[[], tuple[Any, Any]], labels: Any, form: dict[str, bool]) -> Built:
    model, t = make()
    start = [parameter.detach().clone() for parameter in model.parameters()]
    loss_of = torch.nn.CrossEntropyLoss()
    optimizer: Any = None
    steps = 0

    def reset() -> None:
        nonlocal optimizer, steps
        steps = 0
        with torch.no_grad():
            for parameter, value in zip(model.parameters(), start, strict=True):
                parameter.copy_(value)
        optimizer = torch.optim.Adam(
            model.parameters(), ADAM.rate, (ADAM.beta_1, ADAM.beta_2), ADAM.epsilon, **form
        )

    def call() -> Any:
        nonlocal steps
        steps += 1  # torch adds epsilon after the correction, the others before
        optimizer.param_groups[0]["eps"] = ADAM.epsilon / (1 - ADAM.beta_2**steps) ** 0.5
        optimizer.zero_grad()
        loss = loss_of(model(t), labels)
        loss.backward()
        optimizer.step()
        return loss

    reset()
    return Built(call, lambda loss: loss.item(), reset=reset)
