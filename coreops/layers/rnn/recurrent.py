"""Recurrent: what LSTM, GRU and SimpleRNN have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import _plan, _tape, activations, constraints, initializers, regularizers
from ..._plan import merging
from ..arguments import check_mask, positive
from ..input_spec import InputSpec
from ..layer import Layer
from . import by_steps
from .arguments import arranged, as_list, values_of
from .cells import RecurrentCell
from .state import State


def of_cell(name: str) -> Any:
    """Return an attribute of a layer that is its cell's."""
    return property(lambda self: getattr(self.cell, name), doc=f"The cell's `{name}`.")


class Recurrent(Layer):
    """Base of the recurrent layers: a cell, and how it goes over time."""

    integer_input = "cast"
    _several = True
    _call_arguments = ("initial_state",)
    cell: RecurrentCell
    states: list[State] | None

    units = of_cell("units")
    activation = of_cell("activation")
    use_bias = of_cell("use_bias")
    kernel_initializer = of_cell("kernel_initializer")
    recurrent_initializer = of_cell("recurrent_initializer")
    bias_initializer = of_cell("bias_initializer")
    kernel_regularizer = of_cell("kernel_regularizer")
    recurrent_regularizer = of_cell("recurrent_regularizer")
    bias_regularizer = of_cell("bias_regularizer")
    kernel_constraint = of_cell("kernel_constraint")
    recurrent_constraint = of_cell("recurrent_constraint")
    bias_constraint = of_cell("bias_constraint")
    dropout = of_cell("dropout")
    recurrent_dropout = of_cell("recurrent_dropout")

    def __init__(
        self,
        units: int,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        activity_regularizer: Any = None,
        zero_output_for_mask: bool = False,
        implementation: int = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        if implementation not in (0, 1, 2):
            raise ValueError(
                f"Layer '{self.name}': `implementation` must be 1 or 2, which compute the same. "
                f"Received: implementation={implementation!r}"
            )
        positive(self.name, "units", units)
        self.return_sequences = bool(return_sequences)
        self.return_state = bool(return_state)
        self.go_backwards = bool(go_backwards)
        self.stateful = bool(stateful)
        self.unroll = bool(unroll)
        self.zero_output_for_mask = bool(zero_output_for_mask)
        self.input_spec = InputSpec(ndim=3)
        self.__dict__["states"] = None  # of a stateful layer; not among its weights, as in Keras

    # --- building -----------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        if not isinstance(input_shape[0], (int, type(None))):  # with the states' shapes
            input_shape = input_shape[0]
        if not self.cell.built:
            self.cell.build((input_shape[0], *input_shape[2:]))
        self.input_spec = InputSpec(ndim=3, axes={-1: input_shape[-1]})
        if self.stateful and input_shape[0] is not None:
            self._carry(input_shape[0])

    def _carry(self, batch: int) -> list[State]:
        """Return the states of a stateful layer; those for a first batch of this size are made."""
        states = self.states
        if states is None:
            shape, path = (batch, self.units), f"{self.name}/rnn_state"
            states = [State(shape, self.compute_dtype, path) for _ in range(self.cell.states)]
            self.__dict__["states"] = states
        if states[0].shape[0] != batch:
            raise ValueError(
                f"Layer '{self.name}' is stateful: its batches must have the size "
                f"{states[0].shape[0]} of its states. Received a batch of {batch}"
            )
        return states

    def reset_state(self) -> None:
        """Set the states of a stateful layer to zero."""
        for state in self.states or ():
            state.assign(np.zeros(state.shape))

    def reset_states(self, states: Any = None) -> None:
        """Set the states to zero, or to the given arrays: the old name of `reset_state`."""
        if states is None:
            self.reset_state()
            return
        for state, value in zip(self.states or (), as_list(states), strict=True):
            state.assign(value)

    def get_initial_state(self, batch_size: int) -> list[np.ndarray]:
        """Return the states that a call begins with: zeros."""
        shape = (batch_size, self.units)
        return [np.zeros(shape, self.compute_dtype) for _ in range(self.cell.states)]

    @property
    def state_size(self) -> list[int]:
        """The sizes of the states of one sample."""
        return [self.units] * self.cell.states

    # --- shapes and masks ---------------------------------------------------------------------

    def compute_output_shape(self, input_shape: Any, initial_state_shape: Any = None) -> Any:
        if not isinstance(input_shape[0], (int, type(None))):
            input_shape = input_shape[0]
        batch, steps = input_shape[:2]
        output = (batch, steps, self.units) if self.return_sequences else (batch, self.units)
        if not self.return_state:
            return output
        return (output, *((batch, self.units),) * self.cell.states)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        first = args[0]
        if self.stateful and self.states is None and first.shape[0] is None:
            raise ValueError(
                f"Layer '{self.name}' is stateful: the size of its batches must be known. Give "
                f"`batch_shape=` to the Input. Received an input of shape {first.shape}"
            )
        return super().compute_output_spec(first)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        if isinstance(mask, (list, tuple)):
            mask = mask[0]
        output = mask if self.return_sequences else None
        return [output, *[None] * self.cell.states] if self.return_state else output

    # --- computing ----------------------------------------------------------------------------

    def _arranged(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return arranged(args)

    @property
    def _output_count(self) -> int:  # type: ignore[override]
        return 1 + self.cell.states if self.return_state else 1

    def _packed(self, outputs: list[Any]) -> Any:
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        """Compute the output one step after the other, in Python."""
        states = as_list(initial_state) if initial_state else None
        if states is None and self.stateful:
            states = [state.numpy() for state in self._carry(sequences.shape[0])]
        output, last = by_steps.run(self, sequences, mask, states, training)
        for state, value in zip(self.states or (), last, strict=False):
            state.assign(_tape.value_of(value))
        return (output, *last) if self.return_state else output

    def emit(self, flow: Any, x: Any, initial_state: Any = None) -> Any:
        whole = x.mask
        x = x._replace(mask=merging.of_steps(flow, whole))
        check_mask(self.name, x.mask, x.shape[0])
        given = values_of(self, initial_state, self.state_size)
        if x.shape[0] == 0:
            raise ValueError(
                f"Layer '{self.name}' needs at least one step of time. Received an input of shape "
                f"{(None, *x.shape)}"
            )
        if not self.has_steps(x):
            return _plan.Seam(
                [x, *given], lambda arrays, masks: self._seam(arrays, masks[0], flow.training)
            )
        made = self.emit_steps(flow, x, given)
        made[0] = made[0]._replace(mask=whole if self.return_sequences else None)
        return made if self.return_state else made[0]

    def _seam(self, arrays: Any, mask: Any, training: bool) -> tuple[Any, Any]:
        y = self.call(arrays[0], arrays[1:], mask=mask, training=training)
        return y, mask if self.return_sequences else None

    def has_steps(self, x: _plan.Value) -> bool:
        """Whether the kernels can do what the layer does to x."""
        return x.is_real and self.cell.step() is not None

    def emit_steps(
        self,
        flow: Any,
        x: _plan.Value,
        given: Sequence[_plan.Value] = (),
        place: _plan.Place | None = None,
        turned: bool = False,
    ) -> list[_plan.Value]:
        """Add the layer's steps to a plan, which has them.

        Args:
            flow: the plan.
            x: the input.
            given: the states to begin with; none for zeros, or the layer's own.
            place: where the result goes, if that is a part of one.
            turned: the steps of the result are turned round.

        Returns:
            The result, and with `return_state` the last states.
        """
        cell, step = self.cell, self.cell.step()
        assert step is not None  # has_steps said so
        rate, recurrent_rate = cell.drops if flow.training else (0.0, 0.0)
        mask = None if x.mask is None else flow.mask_value(x.mask)
        x = x._replace(mask=None)
        factors = None
        if recurrent_rate:
            ones = _plan.ones(flow, x, (cell.gates, self.units))
            factors = flow.dropout(ones, float(recurrent_rate), None, cell.seed_generator)
        run = _plan.Run(
            self.return_sequences,
            self.go_backwards,
            turned,
            self.zero_output_for_mask,
            self._carried(flow) if self.stateful and not given else None,
        )
        return _plan.recurrent(
            flow,
            self._product(flow, x, float(rate), cell.gates if recurrent_rate else 1),
            step,
            run,
            mask=mask,
            states=list(given) or None,
            factors=factors,
            place=place,
            ends=self.return_state,
        )

    def _product(self, flow: Any, x: _plan.Value, rate: float, noises: int) -> _plan.Value:
        """The input's product of all steps, with a noise for all gates or, as in Keras where the
        state has noises too, for each."""
        cell = self.cell

        def product() -> _plan.Value:
            noise = (None, 1, None)
            y = flow.dropout(x, rate, noise, cell.seed_generator) if rate else x
            return flow.dense(y, cell.kernel, cell.input_bias)

        if not rate or noises == 1:
            return product()
        return _plan.pick(flow, [product() for _ in range(noises)], self.units)

    def _carried(self, flow: Any) -> list[np.ndarray]:
        batch = self.states[0].shape[0] if self.states else flow.rows
        if batch is None:
            raise ValueError(
                f"Layer '{self.name}' is stateful: the size of its batches must be known when it "
                "is built."
            )
        return [state.array for state in self._carry(batch)]

    # --- configuration ------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        cell = self.cell
        return {
            **super().get_config(),
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "go_backwards": self.go_backwards,
            "stateful": self.stateful,
            "unroll": self.unroll,
            "zero_output_for_mask": self.zero_output_for_mask,
            "units": cell.units,
            "activation": activations.serialize(cell.activation),
            "use_bias": cell.use_bias,
            "kernel_initializer": initializers.serialize(cell.kernel_initializer),
            "recurrent_initializer": initializers.serialize(cell.recurrent_initializer),
            "bias_initializer": initializers.serialize(cell.bias_initializer),
            "kernel_regularizer": regularizers.serialize(cell.kernel_regularizer),
            "recurrent_regularizer": regularizers.serialize(cell.recurrent_regularizer),
            "bias_regularizer": regularizers.serialize(cell.bias_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "kernel_constraint": constraints.serialize(cell.kernel_constraint),
            "recurrent_constraint": constraints.serialize(cell.recurrent_constraint),
            "bias_constraint": constraints.serialize(cell.bias_constraint),
            "dropout": cell.dropout,
            "recurrent_dropout": cell.recurrent_dropout,
        }
