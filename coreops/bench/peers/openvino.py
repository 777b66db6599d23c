"""OpenVINO's CPU plugin: constant weights, fixed shape, float32 inference forced (bfloat16 where
the case allows it), tensors shared."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino
from openvino import opset13 as ops

from ..cases import LSTM, Activation, Case, Dense, Dropout, Masking, Permute, Weights
from . import Built, CannotDo, fastest

_NAMES: dict[str, Any] = {
    "relu": ops.relu,
    "tanh": ops.tanh,
    "sigmoid": ops.sigmoid,
    "softmax": lambda x: ops.softmax(x, -1),
    "gelu": lambda x: ops.gelu(x, "erf"),
    "gelu_tanh": lambda x: ops.gelu(x, "tanh"),
}
_threads = 1


def start(threads: int) -> str:
    global _threads
    _threads = threads
    return openvino.__version__.split("-")[0]


def build(case: Case, x: np.ndarray, weights: Weights) -> Built:
    if not case.steps:
        raise CannotDo("a network of no layers is not compiled")
    parameter = ops.parameter(case.shape, np.float32)
    node, pairs = parameter, iter(weights)
    if any(isinstance(s, LSTM) for s in case.steps) and isinstance(case.steps[0], Masking):
        raise CannotDo("its LSTM has no mask")
    for step, _, _ in case.walk():
        node = _node(step, node, pairs)
    model = openvino.Model([ops.result(node)], [parameter], "case")
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16" if case.precision == "medium" else "f32",
        "INFERENCE_NUM_THREADS": _threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
    y = np.empty(case.out_shape, np.float32)
    request.set_input_tensor(openvino.Tensor(x, shared_memory=True))
    request.set_output_tensor(openvino.Tensor(y, shared_memory=True))

    def asynchronous() -> None:
        start_it()
        wait()

    base = openvino._pyopenvino.InferRequest
    start_it, wait = request.start_async, request.wait
    return fastest(
        {
            "infer": lambda: Built(request.infer, lambda _: y),
            "infer, raw": lambda: Built(lambda: base.infer(request, {}, False, True), lambda _: y),
            "async": lambda: Built(asynchronous, lambda _: y),
        }
    )


def _node(step: Any, node: Any, pairs: Any) -> Any:
    if isinstance(step, Dense):
        kernel, bias = next(pairs)
        node = ops.add(ops.matmul(node, ops.constant(kernel), False, False), ops.constant(bias))
        return node if step.activation is None else _NAMES[step.activation](node)
    if isinstance(step, Activation):
        return _NAMES[step.name](node)
    if isinstance(step, Permute):
        return ops.transpose(node, np.array((0, *step.dims)))
    if isinstance(step, LSTM):
        return _lstm(node, *next(pairs))
    if isinstance(step, Masking):
        largest = ops.reduce_max(ops.abs(node), np.array([-1]), True)
        return ops.multiply(node, ops.sign(largest))
    if isinstance(step, Dropout):
        raise CannotDo("OpenVINO has no dropout")
    raise CannotDo(f"no {type(step).__name__} here")


def _lstm(node: Any, kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray) -> Any:
    """The last output of the whole sequence; gates in OpenVINO's order f, i, c, o."""
    units, batch, steps = len(recurrent), node.shape[0], node.shape[1]

    def ordered(weight: np.ndarray) -> Any:
        i, f, c, o = np.split(weight.T, 4)
        return ops.constant(np.ascontiguousarray(np.concatenate([f, i, c, o])[None]))

    nothing = ops.constant(np.zeros((batch, 1, units), np.float32))
    lengths = ops.constant(np.full(batch, steps, np.int32))
    made = ops.lstm_sequence(
        node, nothing, nothing, lengths, ordered(kernel), ordered(recurrent), ordered(bias),
        units, "forward",
    )  # fmt: skip
    return ops.squeeze(made.output(1), ops.constant(np.array([1])))
