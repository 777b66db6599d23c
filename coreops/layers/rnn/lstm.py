"""LSTM."""

from __future__ import annotations

from typing import Any

from ... import _legacy, activations
from .arguments import check_cudnn
from .cells import LSTMCell
from .recurrent import Recurrent, of_cell


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997), with a forget gate.

    The gates lie along the last axis of the weights in the order i, f, c, o.

    Args:
        units: size of the state and of the output, a positive int.
        activation: name or callable; None for none.
        recurrent_activation: that of the gates.
        use_bias: whether biases are added.
        kernel_initializer: initializer of the kernel, `(features, 4 * units)`.
        recurrent_initializer: initializer of the recurrent kernel, `(units, 4 * units)`.
        bias_initializer: initializer of the bias, `(4 * units,)`.
        unit_forget_bias: the forget gate's part of the bias begins as 1.
        kernel_regularizer: penalty on the kernel, in `losses`.
        recurrent_regularizer: penalty on the recurrent kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output, divided by the batch size.
        kernel_constraint: projection of the kernel after each optimizer step.
        recurrent_constraint: projection of the recurrent kernel.
        bias_constraint: projection of the bias.
        dropout: fraction of the input's features to drop in training, the same at all steps.
        recurrent_dropout: fraction of the state to drop in its products.
        seed: int for a dropout that can be repeated.
        return_sequences: return the output of every step instead of the last one's.
        return_state: return a tuple of the output and the last states, h and c.
        go_backwards: begin with the last step; a sequence is returned in that order.
        stateful: begin each batch with the states that the one before it left: see `reset_state`.
        unroll: accepted; the result is the same.
        use_cudnn: accepted.
        zero_output_for_mask: the output of a masked step is 0, not that of the step before it.
        implementation: accepted: 1 and 2 compute the same.
        **kwargs: base layer keywords: `name`, `dtype`, `trainable`.

    Call arguments: the sequences, `mask` (batch, steps) of the steps that count, `training`,
    `initial_state` (h and c, `(batch, units)` each).

    Input shape:
        `(batch, steps, features)`.

    Output shape:
        `(batch, units)`, or `(batch, steps, units)` with `return_sequences`.

    Raises:
        ValueError: `units` is no positive int, an input of other than three axes or without steps,
            a stateful layer that gets batches of several sizes.
    """

    cell: LSTMCell
    recurrent_activation = of_cell("recurrent_activation")
    unit_forget_bias = of_cell("unit_forget_bias")
    seed = of_cell("seed")

    @_legacy.accepts_old_names
    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        use_cudnn: Any = "auto",
        zero_output_for_mask: bool = False,
        implementation: int = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            activity_regularizer=activity_regularizer,
            zero_output_for_mask=zero_output_for_mask,
            implementation=implementation,
            **kwargs,
        )
        check_cudnn(self.name, use_cudnn)
        self.cell = LSTMCell(
            units,
            unit_forget_bias=unit_forget_bias,
            activation=activation,
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            dtype=self.dtype_policy,
            trainable=self.trainable,
            name="lstm_cell",
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "recurrent_activation": activations.serialize(self.cell.recurrent_activation),
            "unit_forget_bias": self.cell.unit_forget_bias,
            "seed": self.cell.seed,
        }
