"""ONNX Runtime: a model of fixed shape with constant weights, input and output bound."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, checker, helper, numpy_helper

from ..cases import LSTM, Activation, Case, Dense, Dropout, Masking, Permute, Weights
from ..images import Conv, Depthwise, Flatten, Pool, Shape, channels_first, padding
from . import Built, CannotDo, fastest

_OPSET = 20
_NAMES = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid", "softmax": "Softmax"}
_threads = 1


def start(threads: int) -> str:
    global _threads
    _threads = threads
    return onnxruntime.__version__


def build(case: Case, x: np.ndarray, weights: Weights) -> Built:
    if case.group == "images":
        x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
        model = _model(case, channels_first(case.walk(), weights), shape=x.shape)
        return _run(model.SerializeToString(), case, x)
    best = _run(_model(case, weights).SerializeToString(), case, x)
    if case.precision != "int8":
        return best
    return fastest({best.how: lambda: best, "int8": lambda: _run(_int8(case, weights), case, x)})


def _run(model: bytes, case: Case, x: np.ndarray) -> Built:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    value = onnxruntime.OrtValue.ortvalue_from_numpy
    y = value(np.zeros(case.out_shape, np.float32))
    binding = session.io_binding()
    binding.bind_ortvalue_input("x", value(x))
    binding.bind_ortvalue_output("y", y)
    raw, bound, feed = session._sess, binding._iobinding, {"x": x}

    def read(_: Any, kept: np.ndarray = x) -> np.ndarray:
        return y.numpy()  # and the input's memory, which is bound, lives as long

    ways: dict[str, tuple[Any, ...]] = {
        "bound": (lambda: session.run_with_iobinding(binding), read),
        "bound, raw": (lambda: raw.run_with_iobinding(bound, None), read),
        "run": (lambda: raw.run(["y"], feed, None), lambda r: np.asarray(r[0])),
    }
    return fastest({how: partial(Built, *way) for how, way in ways.items()})


def _int8(case: Case, weights: Weights) -> bytes:
    """The model with weights quantized before and activations on the way."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.onnx")
        model = _model(case, weights, gemm=False)
        quantize_dynamic(model, path, weight_type=QuantType.QInt8, per_channel=True)
        with open(path, "rb") as file:
            return file.read()


def _model(case: Case, weights: Weights, *, gemm: bool = True, shape: Shape = ()) -> Any:
    """shape: of the input, where it is not the case's."""
    constants: dict[str, np.ndarray] = {}
    nodes: list[Any] = []
    if any(isinstance(s, LSTM) for s in case.steps) and isinstance(case.steps[0], Masking):
        raise CannotDo("its LSTM has no mask")
    last, pairs = "x", iter(weights)
    for number, (step, before, _) in enumerate(case.walk()):
        for kind, operands, attributes in _nodes(
            step, before, gemm and len(before) == 2, f"c{number}", constants, pairs
        ):
            name = f"v{len(nodes)}"
            operands = [last, *operands] if kind != "Mul" else [operands[0], last]
            nodes.append(helper.make_node(kind, operands, [name], **attributes))
            last = name
    if not nodes:
        nodes.append(helper.make_node("Identity", ["x"], ["y"]))
    nodes[-1].output[0] = "y"
    for node in nodes:  # a mask is multiplied with what it was made from
        node.input[:] = ["x" if operand == "=input" else operand for operand in node.input]
    graph = helper.make_graph(
        nodes,
        "case",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape or case.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, case.out_shape)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
    model.ir_version = 10
    checker.check_model(model)
    return model


def _nodes(
    step: Any,
    before: Shape,
    gemm: bool,
    name: str,
    constants: dict[str, np.ndarray],
    pairs: Iterator[Any],
) -> Iterator[tuple[str, list[str], dict[str, Any]]]:
    if isinstance(step, Dense):
        constants[f"{name}w"], constants[f"{name}b"] = next(pairs)
        if gemm:
            yield "Gemm", [f"{name}w", f"{name}b"], {}
        else:
            yield "MatMul", [f"{name}w"], {}
            yield "Add", [f"{name}b"], {}
        if step.activation is not None:
            yield _NAMES[step.activation], [], {}
    elif isinstance(step, Conv | Depthwise):
        constants[f"{name}w"], constants[f"{name}b"] = next(pairs)
        (above, below), (left, right) = (padding(step, n) for n in before[1:3])
        yield (
            "Conv",
            [f"{name}w", f"{name}b"],
            {
                "pads": [above, left, below, right],
                "strides": [step.strides] * 2,
                "group": before[-1] if isinstance(step, Depthwise) else 1,
            },
        )
        if step.activation is not None:
            yield _NAMES[step.activation], [], {}
    elif isinstance(step, Pool):
        sizes = {"kernel_shape": [step.size] * 2, "strides": [step.size] * 2}
        yield "AveragePool" if step.average else "MaxPool", [], sizes
    elif isinstance(step, Flatten):
        yield "Flatten", [], {}
    elif isinstance(step, Activation) and step.name.startswith("gelu"):
        yield "Gelu", [], {"approximate": "tanh" if step.name == "gelu_tanh" else "none"}
    elif isinstance(step, Activation):
        yield _NAMES[step.name], [], {}
    elif isinstance(step, Permute):
        yield "Transpose", [], {"perm": (0, *step.dims)}
    elif isinstance(step, Masking):  # the first step wherever it occurs: its input is x
        constants[f"{name}axis"] = np.array([-1])
        yield "Abs", [], {}
        yield "ReduceMax", [f"{name}axis"], {"keepdims": 1}
        yield "Sign", [], {}
        yield "Mul", ["=input"], {}
    elif isinstance(step, LSTM):
        kernel, recurrent, bias = next(pairs)
        constants[f"{name}w"], constants[f"{name}r"] = _gates(kernel), _gates(recurrent)
        both = [_gates(bias), np.zeros((1, len(bias)), np.float32)]
        constants[f"{name}b"] = np.concatenate(both, axis=1)
        constants[f"{name}last"] = np.array(-1)  # of (steps, directions, batch, units)
        constants[f"{name}first"] = np.array([0])
        operands = [f"{name}w", f"{name}r", f"{name}b"]
        yield "Transpose", [], {"perm": (1, 0, 2)}
        yield "LSTM", operands, {"hidden_size": step.units}
        yield "Gather", [f"{name}last"], {}
        yield "Squeeze", [f"{name}first"], {}
    elif isinstance(step, Dropout):
        constants[f"{name}rate"] = np.array(step.rate, np.float32)
        constants[f"{name}on"] = np.array(True)
        yield "Dropout", [f"{name}rate", f"{name}on"], {"seed": 1}


def _gates(weight: np.ndarray) -> np.ndarray:
    """A weight as ONNX has it: (1, 4 units, k), gates in the order i, o, f, c."""
    i, f, c, o = np.split(weight.T, 4)
    return np.ascontiguousarray(np.concatenate([i, o, f, c])[None])
