"""LayerState: the variables and the losses of a layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .. import _kernels, _legacy, _tape, constraints, initializers, regularizers
from .._variables import Variable
from .building import current_path
from .ownership import Owner


class LayerState(Owner):
    """Base of `Layer`: what it has to learn, and what it adds to the loss."""

    # --- weights ----------------------------------------------------------------------------

    @_legacy.shape_first
    def add_weight(
        self,
        shape: Sequence[int | None] | None = None,
        initializer: Any = None,
        dtype: str | None = None,
        *,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str | None = "none",
        name: str | None = None,
    ) -> Variable:
        """Create a weight of the layer.

        Args:
            shape: fully known shape; `()` if left out.
            initializer: name, callable or array; by default "glorot_uniform" for floats and
                "zeros" otherwise.
            dtype: name of the element type; by default the layer's.
            trainable: whether optimizers may change it.
            autocast: accepted for compatibility.
            regularizer: penalty that appears in `losses`.
            constraint: projection applied after each optimizer step.
            aggregation: accepted for compatibility: there are no replicas.
            name: by default a numbered "variable".

        Raises:
            ValueError: the layer is built already, or the shape has unknown entries.
        """
        self._check_ready()
        if self._locked:
            raise ValueError(
                f"Layer '{self.name}' is already built: weights are created in `__init__()` or "
                f"in `build()`. Received: name={name!r}, shape={shape}"
            )
        try:
            dtype = self.variable_dtype if dtype is None else np.dtype(dtype).name
        except TypeError:
            raise ValueError(
                f"Layer '{self.name}': add_weight: `dtype` must name a type of numbers. "
                f"Received: dtype={dtype!r}"
            ) from None
        if initializer is None:
            initializer = "glorot_uniform" if "float" in dtype else "zeros"
        if isinstance(initializer, np.ndarray):
            initial: Any = initializer
        else:
            initial = initializers.get(initializer)
        variable = Variable(
            initial,
            shape=() if shape is None else _known_shape(shape, name, self.name),
            dtype=dtype,
            trainable=trainable,
            name=name,
            regularizer=regularizers.get(regularizer),
            constraint=constraints.get(constraint),
        )
        scope = current_path() or self.name
        variable.path = f"{scope}/{variable.name}"
        self._track(variable)
        variable.trainable = trainable and self.trainable
        return variable

    @property
    def weights(self) -> list[Variable]:
        """All variables: the layer's own (trainable first), then those of its sublayers."""
        return _unique(v for layer in self._flatten_layers() for v in layer._own_variables)

    @property
    def variables(self) -> list[Variable]:
        """All weights, and the states of random streams."""
        return _unique(
            variable
            for layer in self._flatten_layers()
            for variable in (*layer._own_variables, *(s.state for s in layer._own_streams))
        )

    @property
    def trainable_weights(self) -> list[Variable]:
        """The variables that optimizers change."""
        return [v for v in self.weights if v.trainable] if self.trainable else []

    trainable_variables = trainable_weights

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The variables that optimizers leave alone."""
        trainable = {id(v) for v in self.trainable_weights}
        return [v for v in self.weights if id(v) not in trainable]

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The variables that optimizers leave alone, the states of random streams among them."""
        trainable = {id(v) for v in self.trainable_weights}
        return [v for v in self.variables if id(v) not in trainable]

    @property
    def trainable(self) -> bool:
        """Whether the layer is trained; setting it sets all of its sublayers."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = value = bool(value)
        _kernels.bump_epoch()
        for variable in self._trained:
            variable.trainable = value
        for layer in self._sublayers:
            layer.trainable = value
        self._uninstall()

    def get_weights(self) -> list[np.ndarray]:
        """Return copies of the weights' values, in the order of `weights`."""
        return [np.array(variable.numpy()) for variable in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set all weights, in the order of `weights`.

        Raises:
            ValueError: another number of arrays, or an array of another shape.
        """
        variables = self.weights
        arrays = [np.asarray(weight) for weight in weights]
        if len(arrays) != len(variables):
            raise ValueError(
                f"Layer '{self.name}': set_weights() expects {len(variables)} arrays. "
                f"Received: {len(arrays)}"
            )
        for variable, array in zip(variables, arrays, strict=True):
            if variable.shape != array.shape:
                raise ValueError(
                    f"Layer '{self.name}': weight '{variable.path}' has shape {variable.shape}. "
                    f"Received an array of shape: {array.shape}"
                )
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)

    def save_own_variables(self, store: Any) -> None:
        """Put what files keep of the layer into a mapping of arrays: its own variables, as "0",
        "1", ... A subclass may put others there, which its `load_own_variables` takes."""
        for number, variable in enumerate(self._stored_variables):
            store[str(number)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Set the layer's own variables to what `save_own_variables` put into a mapping.

        Raises:
            ValueError: another number of arrays, or an array of another shape.
        """
        variables = self._stored_variables
        if len(store.keys()) != len(variables):
            raise ValueError(
                f"Layer '{self.name}' has {len(variables)} variables of its own. "
                f"Received: {len(store.keys())}"
            )
        for number, variable in enumerate(variables):
            variable.assign(store[str(number)])

    @property
    def _stored_variables(self) -> list[Variable]:
        """The layer's own variables in the order in which Keras' files have them."""
        return self._own_variables

    def count_params(self) -> int:
        """Return the number of scalars in the weights.

        Raises:
            ValueError: before the layer is built.
        """
        if not self.built:
            raise ValueError(
                f"count_params() was called on layer '{self.name}', which is not built yet: "
                "call it on data, or use `build(input_shape)`."
            )
        return sum(variable.size for variable in self.weights)

    # --- losses -----------------------------------------------------------------------------

    def add_loss(self, loss: Any) -> None:
        """Add a scalar, or a list of them, to `losses`; called inside `call()`."""
        for value in loss if isinstance(loss, (list, tuple)) else [loss]:
            traced = isinstance(value, _tape.Tensor)
            if not traced and not isinstance(value, (np.ndarray, np.generic, Variable)):
                raise ValueError(
                    f"Layer '{self.name}': add_loss() takes what was computed from the inputs. "
                    f"Received: {value!r}"
                )
            self._call_losses.append(value if traced else np.asarray(value)[()])

    def _add_activity_loss(self, output: np.ndarray) -> None:
        """Add the activity regularizer's penalty on an output, divided by the batch size."""
        if self.activity_regularizer is None:
            return
        loss = self.activity_regularizer(output)
        if output.ndim:
            loss = loss / output.dtype.type(len(output)) if len(output) else loss * 0
        self._call_losses.append(loss)

    @property
    def losses(self) -> list[Any]:
        """The scalars added by the last call, then one penalty per regularised weight."""
        terms = [loss for layer in self._flatten_layers() for loss in layer._call_losses]
        for variable in self.trainable_weights:
            if variable.regularizer is not None:
                terms.append(variable.regularizer(variable.value))
        return terms

    def _clear_losses(self) -> None:
        for layer in self._flatten_layers():
            if layer._call_losses:
                layer.__dict__["_call_losses"] = []


def _known_shape(shape: Sequence[Any], name: str | None, owner: str) -> tuple[int, ...]:
    shape = tuple(shape)
    if any(size is None for size in shape):
        weight = "a weight" if name is None else f"weight '{name}'"
        raise ValueError(f"Layer '{owner}': {weight} needs a fully known shape. Received: {shape}")
    return shape


def _unique(variables: Iterator[Variable]) -> list[Variable]:
    return list({id(variable): variable for variable in variables}.values())
