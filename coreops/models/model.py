"""Model: a layer that holds layers, predicts, and can be trained."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import _kernels, _legacy, _plan
from .._symbolic import leaves
from .._warnings import warn
from ..layers import InputLayer, Layer
from ..layers.quantizing import is_wanted
from .predicting import Predictor
from .state_tree import get_state_tree, set_state_tree


class Model(Predictor):
    """Base class of models; subclass it with layers as attributes and a `call(inputs)`.

    Args:
        precision: the least that products of float32 keep; see the property.
        **kwargs: base layer keywords: `name`, `dtype`, `trainable`.
    """

    _input_layer: InputLayer | None = None  # of a model with one input, if it is known

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is Model and _is_functional(args, kwargs):
            from .functional import Functional

            return super().__new__(Functional, *args, **kwargs)
        return super().__new__(cls, *args, **kwargs)

    def __init__(self, *args: Any, precision: str | None = None, **kwargs: Any) -> None:
        if _is_functional(args, kwargs):
            _make_functional(type(self)).__init__(self, *args, precision=precision, **kwargs)
            return
        if args:
            raise TypeError(
                f"{type(self).__name__}() takes keywords, or `inputs` and `outputs`. "
                f"Received: {args}"
            )
        super().__init__(**kwargs)
        self.precision = precision

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Any:
        """Return a new model with the configuration that `get_config` gave; its weights are new.

        Raises:
            ValueError: the configuration is one of a graph, and describes none.
            TypeError: it names an unknown class, or `__init__` does not take it.
        """
        from .graph_config import from_config, is_graph

        if is_graph(cls, config):
            from .functional import Functional

            made: Any = Functional if cls is Model else cls
            return from_config(made, config, custom_objects)
        return cls(**config)

    @property
    def precision(self) -> str | None:
        """The least precision of float32 products in a call of this model: "highest", "high",
        "medium", or None for what `config.set_matmul_precision` says. A choice of how to run, not
        a part of the model: no file keeps it, and a model inside another follows the outer one.

        Raises:
            ValueError: set to anything else.
        """
        return self._precision

    @precision.setter
    def precision(self, value: str | None) -> None:
        if value is not None and value not in _kernels.PRECISIONS:
            raise ValueError(
                f"Model '{self.name}': precision must be one of {list(_kernels.PRECISIONS)} or "
                f"None. Received: {value!r}"
            )
        self._precision = value
        self._programs.clear()
        _kernels.bump_epoch()

    def quantize(
        self, mode: Any = None, config: Any = None, filters: Any = None, **kwargs: Any
    ) -> None:
        """Quantize the weights of all layers in the built model that can be.

        Layers that cannot are left as they are, with Keras' warning.

        Args:
            mode: "int8"; it may be left out where `config` is given.
            config: a `quantizers.QuantizationConfig`, by default the mode's.
            filters: only layers for which a callable returns True, or in whose name a regular
                expression, or one of a list of them, is found.
            **kwargs: `type_check=False` quantizes subclasses too.

        Raises:
            ValueError: arguments that stand for no config that is available here, a model that is
                not built, a layer that is quantized already, or an unknown keyword.

        Example:

            model.quantize("int8")
        """
        config = self._quantization(mode, config)
        type_check = kwargs.pop("type_check", True)
        if kwargs:
            raise ValueError(
                f"Unrecognized keyword arguments passed to {type(self).__name__}: {kwargs}"
            )
        if not (filters is None or isinstance(filters, (str, list, tuple)) or callable(filters)):
            raise ValueError(
                "The `filters` argument must be a regex string, a list of regex strings, or a "
                f"callable. Received: {type(filters)}"
            )
        for layer in self._flatten_layers():
            if not is_wanted(layer, filters) or layer._sublayers or not isinstance(layer, Layer):
                continue
            try:
                layer.quantize(config.mode, config, type_check=type_check)
            except NotImplementedError as error:
                warn(str(error))

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in _legacy.GONE:
                raise AttributeError(
                    f"{type(self).__name__} has no `{name}`, which is of Keras 2: "
                    f"{_legacy.GONE[name]}."
                )
            return super().__getattribute__(name)  # which says that there is none

    @property
    def layers(self) -> list[Layer]:
        """The layers directly inside the model."""
        return [layer for layer in self._sublayers if isinstance(layer, Layer)]

    @layers.setter
    def layers(self, _: Any) -> None:
        raise AttributeError("`layers` cannot be assigned: use add() and pop().")

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return a layer by name or by position.

        Raises:
            ValueError: no such layer, or not exactly one of `name` and `index`.
        """
        if (name is None) == (index is None):
            raise ValueError(
                f"get_layer() takes either a `name` or an `index`. Received: {name=}, {index=}"
            )
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ValueError(
                    f"Model '{self.name}' has {len(self.layers)} layers. Received: index={index}"
                )
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = [layer.name for layer in self.layers]
        raise ValueError(f"Model '{self.name}' has no layer '{name}'. Its layers are: {names}")

    # --- as a part of graphs ----------------------------------------------------------------

    def _entrances(self) -> list[InputLayer]:
        """The input layers that bring arrays into the model's form where it is inside another."""
        return [] if self._input_layer is None else [self._input_layer]

    def _inside(
        self, graph: _plan.Graph, inputs: list[_plan.Ref], training: bool | None
    ) -> list[_plan.Ref]:
        """Add the layers to a graph; return what comes out."""
        return super().trace(graph, (*inputs,), {}, training=training)

    def trace(
        self,
        graph: _plan.Graph,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        count: int = 1,
        training: bool | None = None,
    ) -> list[_plan.Ref]:
        if self._python_call:
            return super().trace(graph, args, kwargs, count, training)
        args, kwargs = self._with_mask(graph, args, kwargs)
        refs = leaves(self._arranged(args))
        for i, layer in enumerate(self._entrances()):
            (refs[i],) = graph.call(layer, (refs[i],), {})
        return self._inside(graph, refs, training)

    def _graph(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _plan.Graph:
        if self._python_call:
            return super()._graph(args, kwargs)
        graph = _plan.Graph(max(len(self._entrances()), 1))
        return graph.end(self._inside(graph, list(graph.inputs), None))

    def _likeness(self, args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> str:
        return super()._likeness(args, kwargs) if self._python_call else ""

    def _layer_shapes(self) -> list[Any]:
        """Return the output shapes of `layers`, None where one is not known."""
        return [None] * len(self.layers)

    def get_state_tree(self, value_format: str = "backend_tensor") -> dict[str, dict[str, Any]]:
        """Return copies of all variables: a dict of "trainable_variables",
        "non_trainable_variables", "optimizer_variables" and "metrics_variables", each of nested
        dicts by the parts of the variables' paths. value_format: "backend_tensor" or
        "numpy_array", which are the same here.

        Raises:
            ValueError: two variables have one path.
        """
        return get_state_tree(self, value_format)

    def set_state_tree(self, state_tree: Mapping[str, Any]) -> None:
        """Set the variables that a tree, or a part of one, names.

        Raises:
            ValueError: the model has no such variable, or one of another shape; nothing is changed.
        """
        set_state_tree(self, state_tree)

    def save(
        self,
        filepath: str | os.PathLike[str],
        overwrite: bool = True,
        zipped: bool | None = None,
        **kwargs: Any,
    ) -> None:
        """Save the model as a `.keras` file: `coreops.saving.save_model`."""
        from ..saving import save_model

        save_model(self, filepath, overwrite, zipped, **kwargs)

    def save_weights(
        self, filepath: str | os.PathLike[str], overwrite: bool = True, **kwargs: Any
    ) -> None:
        """Save the weights as a `.weights.h5` file: `coreops.saving.save_weights`."""
        from ..saving import save_weights

        save_weights(self, filepath, overwrite, **kwargs)

    def load_weights(
        self, filepath: str | os.PathLike[str], skip_mismatch: bool = False, **kwargs: Any
    ) -> None:
        """Load the weights of a `.weights.h5`, `.keras`, `.safetensors` or legacy `.h5` file into
        the model, and the state of its optimizer, if that is built and the file has it.

        Args:
            filepath: the file.
            skip_mismatch: leave layers alone whose weights do not fit, with a warning.
            **kwargs: `by_name`, as in `coreops.saving.load_weights`.

        Raises:
            ValueError: the file does not fit the model.
        """
        from ..saving import load_weights

        load_weights(self, filepath, skip_mismatch=skip_mismatch, **kwargs)

    def to_json(self, **kwargs: Any) -> str:
        """Return the configuration as JSON; keywords go to `json.dumps`."""
        import json

        from ..saving import serialize_keras_object

        return json.dumps(serialize_keras_object(self), **kwargs)

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Print the layers, their output shapes and the numbers of their weights.

        Args:
            line_length: width of the table in characters.
            positions: where the columns end, as fractions of the width.
            print_fn: receives the text instead of `print`.
            expand_nested: show the layers of nested models.
            show_trainable: show which layers are trained.
            layer_range: names (regular expressions) of the first and the last layer to show.

        Raises:
            ValueError: `layer_range` names no layers, or `positions` does not fit the columns.
        """
        from .summary import summary

        (print_fn or print)(
            summary(
                self,
                line_length,
                positions,
                expand_nested=expand_nested,
                show_trainable=show_trainable,
                layer_range=layer_range,
            )
        )


def _is_functional(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return (
        len(args) >= 2
        or (len(args) == 1 and "outputs" in kwargs)
        or ({"inputs", "outputs"} <= kwargs.keys())
    )


def _make_functional(cls: type) -> Any:
    """Let a user's class that is made of inputs and outputs be one of functional models; return
    what it is one of then."""
    from .functional import Functional

    if Model in cls.__bases__:
        cls.__bases__ = tuple(Functional if base is Model else base for base in cls.__bases__)
    else:
        for base in cls.__bases__:
            if issubclass(base, Model):
                _make_functional(base)
    return Functional
