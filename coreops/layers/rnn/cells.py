"""The cells of recurrent layers: their weights, and what they do in one step of time."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import _plan, activations, constraints, initializers, ops, regularizers
from ..._symbolic import Shape
from ...random import SeedGenerator
from ..building import Unbuilt
from ..layer import Layer


class RecurrentCell(Layer):
    """What a recurrent layer repeats at each step of time.

    It holds the weights, under the attribute and the paths that Keras' files have them at. The
    arguments are those of the layer.
    """

    gates = 1
    states = 1
    kind = "simple"
    kernel: Any = Unbuilt()
    recurrent_kernel: Any = Unbuilt()
    bias: Any = Unbuilt()

    def __init__(
        self,
        units: int,
        activation: Any,
        recurrent_activation: Any,
        use_bias: bool,
        kernel_initializer: Any,
        recurrent_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Any,
        recurrent_regularizer: Any,
        bias_regularizer: Any,
        kernel_constraint: Any,
        recurrent_constraint: Any,
        bias_constraint: Any,
        dropout: float,
        recurrent_dropout: float,
        seed: int | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.activation = activations.get(activation)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_constraint = constraints.get(recurrent_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.dropout = min(1.0, max(0.0, dropout))
        self.recurrent_dropout = min(1.0, max(0.0, recurrent_dropout))
        self.seed = seed
        self.seed_generator = SeedGenerator(seed)

    def build(self, input_shape: Shape) -> None:
        width = self.gates * self.units
        if input_shape[-1] is None:
            raise ValueError(
                f"Layer '{self.name}': the last axis of the input must be known to build the "
                f"kernel. Received: input_shape={input_shape}"
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[-1], width),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel",
            shape=(self.units, width),
            initializer=self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=self._bias_shape,
                initializer=self._initial_bias,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    @property
    def _bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    @property
    def _initial_bias(self) -> Any:
        return self.bias_initializer

    @property
    def drops(self) -> tuple[float, float]:
        """The rates of dropout of the input and of the state that have an effect in training: as
        in Keras, 1 has none but on SimpleRNN."""
        most = 1.0 if self.kind == "simple" else np.nextafter(1.0, 0.0)
        return tuple(r if r <= most else 0.0 for r in (self.dropout, self.recurrent_dropout))  # type: ignore[return-value]

    # --- as a step of a plan ------------------------------------------------------------------

    def step(self) -> _plan.Cell | None:
        """Return the cell for the kernels, None if they do not have its activations."""
        found = [activations.step_of(fn) for fn in (self.activation, self.recurrent_activation)]
        if any(step is None or step[0] != "act" for step in found):
            return None
        a, s = (step[1:] for step in found if step is not None)
        return _plan.Cell(self.kind, a, s, self.units, self.recurrent_kernel, self._biases)

    @property
    def input_bias(self) -> Any:
        """The bias of the input's product alone; None if there is none."""
        return self.bias

    @property
    def _biases(self) -> Any:
        return None

    # --- on arrays ----------------------------------------------------------------------------

    def advance(self, x: list[Any], h: list[Any], states: list[Any]) -> list[Any]:
        """Compute the next states of one step of time, by `ops`: for activations without a kernel.

        Args:
            x: the input of each gate, or one for all of them.
            h: the state in each gate's product.
            states: as they were.
        """
        z = self._product(x, self.kernel, self.input_bias)
        return [self.activation(z[0] + self._product(h, self.recurrent_kernel)[0])]

    def _product(self, xs: list[Any], kernel: Any, bias: Any = None) -> list[Any]:
        """Return the gates' parts of a product, each with its own operand."""
        parts = ops.split(ops.convert_to_tensor(kernel), self.gates, axis=1)
        made = [ops.matmul(x, part) for x, part in zip(xs, parts, strict=True)]
        if bias is None:
            return made
        shifts = ops.split(ops.convert_to_tensor(bias), self.gates, axis=0)
        return [part + shift for part, shift in zip(made, shifts, strict=True)]


class SimpleRNNCell(RecurrentCell):
    """activation(x @ kernel + bias + h @ recurrent_kernel)."""


class LSTMCell(RecurrentCell):
    """Gates i, f, c, o: c' = f c + i activation(z_c), h' = o activation(c')."""

    gates = 4
    states = 2
    kind = "lstm"

    def __init__(self, units: int, *, unit_forget_bias: bool, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.unit_forget_bias = unit_forget_bias

    @property
    def _initial_bias(self) -> Any:
        if not self.unit_forget_bias:
            return self.bias_initializer
        units = self.units
        initializer: Any = self.bias_initializer

        def initial(shape: tuple[int, ...], dtype: Any = None) -> np.ndarray:
            parts = [
                initializer((units,), dtype=dtype),
                np.ones(units, dtype),
                initializer((2 * units,), dtype=dtype),
            ]
            return np.concatenate(parts)

        return initial

    def advance(self, x: list[Any], h: list[Any], states: list[Any]) -> list[Any]:
        z = self._product(x, self.kernel, self.bias)
        r = self._product(h, self.recurrent_kernel)
        sums = [a + b for a, b in zip(z, r, strict=True)]
        i, f, o = (self.recurrent_activation(sums[gate]) for gate in (0, 1, 3))
        c = f * states[1] + i * self.activation(sums[2])
        return [o * self.activation(c), c]


class GRUCell(RecurrentCell):
    """Gates z, r, h: h' = z h + (1 - z) n, where n is of r times the state, or its product."""

    gates = 3

    def __init__(self, units: int, *, reset_after: bool, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.reset_after = reset_after
        self.kind = "gru" if reset_after else "gru_before"

    @property
    def _bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    @property
    def input_bias(self) -> Any:
        return None if self.reset_after else self.bias

    @property
    def _biases(self) -> Any:
        return self.bias if self.reset_after else None

    def advance(self, x: list[Any], h: list[Any], states: list[Any]) -> list[Any]:
        before, after = self.bias, None
        if self.reset_after and self.bias is not None:
            before, after = self.bias.value[0], self.bias.value[1]
        xs = self._product(x, self.kernel, before)
        hs = self._product(h, self.recurrent_kernel, after)
        z, r = (self.recurrent_activation(xs[gate] + hs[gate]) for gate in (0, 1))
        if self.reset_after:
            n = self.activation(xs[2] + r * hs[2])
        else:
            kernel = ops.convert_to_tensor(self.recurrent_kernel)[:, 2 * self.units :]
            n = self.activation(xs[2] + ops.matmul(r * h[2], kernel))
        return [z * states[0] + (1 - z) * n]
