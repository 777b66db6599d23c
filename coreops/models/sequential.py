"""Sequential: layers one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .. import _plan
from .._symbolic import KerasTensor, Shape, as_shape
from ..layers import InputLayer, Layer
from ..layers.building import build_lock, path_scope
from ..layers.signatures import check_takes_one_input
from .model import Model


class Sequential(Model):
    """A model of layers, each taking the output of the one before.

    With an `Input` first (or `input_shape=` on the first layer) the layers are built as they are
    added. Without one, the weights come with `build`, or with the first call.

    Args:
        layers: layers to add.
        trainable: whether the weights are trained.
        name: without "/"; by default "sequential", numbered.
        precision: the least that products of float32 keep, as in `Model.precision`.

    Raises:
        TypeError: `layers` is not iterable.
        ValueError: as `add`.
    """

    def __init__(
        self,
        layers: Iterable[Any] | None = None,
        trainable: bool = True,
        name: str | None = None,
        precision: str | None = None,
    ) -> None:
        super().__init__(trainable=trainable, name=name, precision=precision)
        self._input_layer: InputLayer | None = None
        self._layers: list[Layer] = []
        self._symbolic: list[KerasTensor] = []  # outputs of the layers, as far as they are known
        self.supports_masking = True
        for layer in layers or ():
            self.add(layer)

    # --- structure --------------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers in order, without the InputLayer."""
        return list(self._layers)

    @layers.setter
    def layers(self, _: Any) -> None:
        raise AttributeError("`layers` cannot be assigned: use add() and pop().")

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Append a layer.

        Args:
            layer: a layer; the first may also be an `Input(...)` or an `InputLayer`.
            rebuild: accepted as in Keras: layers are built as soon as their inputs are known.

        Raises:
            ValueError: it is no layer, has the name of another one in the model, is a second
                input, needs more than one input, or does not fit the output before it.
        """
        if isinstance(layer, KerasTensor) and layer.node is not None and not layer.node.inputs:
            layer = layer.node.layer
        if not isinstance(layer, Layer):
            raise ValueError(
                f"Model '{self.name}': only layers can be added. "
                f"Received: {layer!r} of type {type(layer).__name__}"
            )
        if isinstance(layer, InputLayer):
            self._set_input(layer)
            return
        check_takes_one_input(layer)
        present = [self._input_layer, *self._layers]
        if any(own is not None and own.name == layer.name and own is not layer for own in present):
            raise ValueError(
                f"Model '{self.name}' already has a layer '{layer.name}': names must differ."
            )
        if not self._layers and self._input_layer is None:
            source = _declared_input(layer)
            if source is not None:
                self._set_input(source)
        self._layers.append(layer)
        try:
            with path_scope(self.name):
                self._infer()
        except Exception:
            self._layers.pop()
            raise
        self._restructured()

    @property
    def _loss_keys(self) -> list[str] | None:
        return [self._layers[-1].name] if self._layers else None

    def pop(self, rebuild: bool = True) -> Layer:
        """Remove the last layer and return it. rebuild: accepted as in Keras.

        Raises:
            IndexError: the model has no layers.
        """
        if not self._layers:
            raise IndexError(f"Model '{self.name}' has no layers to remove.")
        layer = self._layers.pop()
        del self._symbolic[len(self._layers) :]
        self._restructured()
        return layer

    def _set_input(self, layer: InputLayer) -> None:
        if self._input_layer is not None or self._layers:
            raise ValueError(
                f"Model '{self.name}': an input must come first, and there is only one. Received: "
                f"'{layer.name}' of shape {layer.batch_shape}"
            )
        self._input_layer = layer

    def _restructured(self) -> None:
        self.__dict__["_programs"] = {}
        self.__dict__["_compiled"] = True
        self._changed("layers")

    def leaves(self) -> list[Layer]:
        """Return the layers that compute, those of nested models included."""
        found: list[Layer] = []
        for layer in self._layers:
            if isinstance(layer, Model) and not layer._python_call:
                found += layer._entrances()
            found += layer.leaves()
        return found

    def _inside(
        self, graph: _plan.Graph, inputs: list[_plan.Ref], training: bool | None
    ) -> list[_plan.Ref]:
        made = inputs
        for layer in self._layers:
            made = layer.trace(graph, (made[0],), {}, layer._output_count, training)
        return made

    def _arranged(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return super()._arranged((args[0][0],) if _is_single(args) else args)

    # --- building ---------------------------------------------------------------------------

    @property
    def built(self) -> bool:
        """Whether all layers have their weights."""
        known = self._input_layer is not None and bool(self._layers)
        return known and all(layer.built for layer in self._layers)

    @built.setter
    def built(self, _: bool) -> None:
        """Ignored: the layers know."""

    def build(self, input_shape: Any = None) -> None:
        """Create all weights.

        Args:
            input_shape: shape with the batch axis; it may be left out after an `Input`.

        Raises:
            ValueError: the model has no layers, or was built for another shape.
        """
        if not self._layers:
            raise ValueError(f"Model '{self.name}' has no layers to build: add some.")
        if self._input_layer is None:
            if input_shape is None:
                raise ValueError(
                    f"Model '{self.name}': build() needs an `input_shape`: no layer says one."
                )
            dtype = self._layers[0].compute_dtype
            layer = InputLayer(batch_shape=as_shape(input_shape), dtype=dtype)
            self._input_layer = layer
            try:
                self._infer()
            except Exception:
                self._input_layer = None
                self._symbolic.clear()
                raise
        elif input_shape is not None and as_shape(input_shape) != self._input_layer.batch_shape:
            raise ValueError(
                f"Model '{self.name}' takes inputs of shape {self._input_layer.batch_shape}. "
                f"Received: input_shape={tuple(input_shape)}"
            )

    def _prepare(self, shape: Any, dtype: Any = None, *more: Any) -> None:
        if not self._layers:
            raise ValueError(f"Model '{self.name}' has no layers: add some.")
        if self._input_layer is None:
            with build_lock:
                if self._input_layer is None:
                    self.build(shape)

    def _infer(self) -> None:
        """Build the layers that follow the last known output, as far as shapes are known."""
        if self._input_layer is None:
            return
        for layer in self._layers[len(self._symbolic) :]:
            last = self._symbolic[-1] if self._symbolic else self._input_layer.output
            try:
                self._symbolic.append(layer(last))
            except NotImplementedError:  # a Python layer; its shape comes with the data
                return

    def _adapt(self, array: np.ndarray) -> np.ndarray:
        """Give an input the input layer's rank and dtype. Sizes may be others than those that the
        layers were built for, such as more steps of time: the layers know what they take.

        Raises:
            ValueError: the model has no layers, or the rank does not fit.
        """
        source = self._input_layer
        if source is None or not self._layers:
            self._prepare((None, *array.shape[1:]) if array.ndim else (), array.dtype)
            source = self._input_layer
            assert source is not None  # building made it
        return self._fit_input(source, array, sizes=False)

    # --- shapes -----------------------------------------------------------------------------

    def compute_output_shape(self, input_shape: Any) -> Any:
        for layer in self._layers:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    def _output_dtype(self, dtype: str) -> str:
        if self._input_layer is not None:
            dtype = self._input_layer.dtype
        for layer in self._layers:
            dtype = layer._output_dtype(dtype)
        return dtype

    def _known(self, what: str) -> list[KerasTensor]:
        """Return the symbolic input and outputs once the model's shapes are known."""
        source = self._input_layer
        if source is None or not self._layers or len(self._symbolic) < len(self._layers):
            raise AttributeError(
                f"Model '{self.name}' has no {what} yet: add an Input first, or build it."
            )
        return [source.output, *self._symbolic]

    def _layer_shapes(self) -> list[Shape | None]:
        known = [tensor.shape for tensor in self._symbolic]
        return known + [None] * (len(self._layers) - len(known))

    @property
    def input(self) -> KerasTensor:
        """The symbolic input. AttributeError while it is not known."""
        return self._known("input")[0]

    @property
    def output(self) -> KerasTensor:
        """The symbolic output. AttributeError while it is not known."""
        return self._known("output")[-1]

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic input, in a list. AttributeError while it is not known."""
        return [self.input]

    @property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic output, in a list. AttributeError while it is not known."""
        return [self.output]

    @property
    def input_shape(self) -> Shape:
        """Shape of the input, batch axis first. AttributeError while it is not known."""
        return self._known("input_shape")[0].shape

    @property
    def output_shape(self) -> Shape:
        """Shape of the output, batch axis first. AttributeError while it is not known."""
        return self._known("output_shape")[-1].shape

    # --- configuration ----------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        from ..saving.objects import serialize_keras_object

        config = super().get_config()
        first = [] if self._input_layer is None else [self._input_layer]
        config["layers"] = [serialize_keras_object(layer) for layer in [*first, *self._layers]]
        if first and self._layers:
            config["build_input_shape"] = first[0].batch_shape
        return config

    def get_build_config(self) -> dict[str, Any] | None:
        if self._input_layer is None or not self._layers:
            return None
        return {"input_shape": self._input_layer.batch_shape}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Sequential:
        """Return a new model with the configuration that `get_config` gave; its weights are new.

        Raises:
            ValueError: the configuration has no `name` or no `layers`.
            TypeError: it names an unknown class.
        """
        from ..layers import deserialize

        if "name" not in config or "layers" not in config:
            raise ValueError(
                f"A Sequential's config needs the keys 'name' and 'layers'. Received: {config}"
            )
        model = cls(name=config["name"])
        for layer in config["layers"]:
            model.add(deserialize(layer, custom_objects))
        shape = config.get("build_input_shape")
        if model._layers and model._input_layer is None and shape:
            model.build(as_shape(shape))
        return model

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Run the layers without the checks and casts around a call."""
        graph = _plan.Graph()
        graph.end(Sequential._inside(self, graph, list(graph.inputs), None))
        program = _plan.Program(graph, training=bool(training), precision=self._precision)
        ((y, made),) = program([np.ascontiguousarray(inputs)], [mask])
        return _plan.KerasArray.attach(y, made)


def _is_single(args: tuple[Any, ...]) -> bool:
    """Whether the only argument is a list of one."""
    return len(args) == 1 and isinstance(args[0], (list, tuple)) and len(args[0]) == 1


def _declared_input(layer: Layer) -> InputLayer | None:
    """Return an input such as a first layer says that it takes, None if it says nothing."""
    inputs: Any = getattr(layer, "inputs", ()) if isinstance(layer, Model) else ()
    if len(inputs) == 1:
        return InputLayer(batch_shape=inputs[0].shape, dtype=inputs[0].dtype)
    shape = layer._declared_shape
    return None if shape is None else InputLayer(batch_shape=shape)
