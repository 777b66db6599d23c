"""Functional: a model of layers that were called on symbolic tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _plan
from .._symbolic import (
    KerasTensor,
    Shape,
    alone,
    in_order,
    is_shape,
    leaves,
    map_structure,
    repack,
)
from ..layers import InputLayer, Layer, Operation
from ..layers.signatures import init_arguments, takes_inputs_and_outputs
from .model import Model
from .structures import check_tensors, flat_shapes, replayed, warn_of_keys
from .topology import Topology, explore


class Functional(Model):
    """A model from symbolic inputs to outputs: what `Model(inputs, outputs)` makes.

    Args:
        inputs: symbolic tensor, or a list or dict of them: from `Input`, or from the middle of
            another model.
        outputs: symbolic tensor, or a list or dict, made of the inputs by layers.
        name: without "/"; by default "functional", numbered.
        trainable: whether the weights are trained; None leaves that to the layers.
        precision: the least that products of float32 keep, as in `Model.precision`.

    Raises:
        ValueError: something that is no symbolic tensor, outputs that do not come from the inputs
            alone, two layers of one name.
    """

    _is_tried = False
    _topology: Topology
    _inputs_struct: Any
    _outputs_struct: Any
    _input_layers: list[InputLayer]

    def __init__(
        self,
        inputs: Any,
        outputs: Any,
        name: str | None = None,
        *,
        trainable: bool | None = None,
        precision: str | None = None,
        **kwargs: Any,
    ) -> None:
        for what, structure in (("inputs", inputs), ("outputs", outputs)):
            check_tensors(what, structure)
        if isinstance(inputs, dict):
            warn_of_keys(inputs)
        Model.__init__(self, name=name, precision=precision, **kwargs)
        flat_inputs, flat_outputs = leaves(inputs), leaves(outputs)
        topology = explore(flat_inputs, flat_outputs)
        if any(x.node is None or x.node.inputs for x in flat_inputs):
            flat_inputs, flat_outputs = replayed(topology, flat_inputs, flat_outputs)
            topology = explore(flat_inputs, flat_outputs)
        made = repack(inputs, flat_inputs)
        if isinstance(inputs, dict):
            made = {key: made[key] for key in inputs}  # `_flat_inputs` looks at their order
        self._settle(topology, made, repack(outputs, flat_outputs))
        if trainable is not None:  # the layers' own flags stay as they are
            self._trainable = bool(trainable)

    def _settle(self, topology: Topology, inputs: Any, outputs: Any) -> None:
        state = self.__dict__
        state["_topology"] = topology
        state["_inputs_struct"], state["_outputs_struct"] = inputs, outputs
        state["_input_layers"] = [x.node.layer for x in leaves(inputs)]
        if len(state["_input_layers"]) == 1:
            state["_input_layer"] = state["_input_layers"][0]
        self._layers = topology.layers
        self.output_names = [x.node.layer.name for x in leaves(outputs)]
        self.supports_masking = True

    # --- structure --------------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """All layers, those of the inputs too, from the inputs to the outputs."""
        return [layer for layer in self._layers if not isinstance(layer, Operation)]

    @layers.setter
    def layers(self, _: Any) -> None:
        raise AttributeError("`layers` cannot be assigned.")

    @property
    def operations(self) -> list[Layer]:
        """The layers, and between them the functions of `coreops.ops` and operators."""
        return list(self._layers)

    @property
    def built(self) -> bool:
        """Whether all layers have their weights."""
        return all(layer.built for layer in self.__dict__.get("_layers", ()))

    @built.setter
    def built(self, _: bool) -> None:
        """Ignored: the layers know."""

    def build(self, input_shape: Any = None) -> None:
        """Do nothing: the layers were built as they were called."""

    def _prepare(self, shape: Any, dtype: Any = None, *more: Any) -> None:
        """Do nothing, likewise."""

    @property
    def input(self) -> Any:
        """The symbolic input, or the structure of inputs that the model was made with."""
        return self._inputs_struct

    @property
    def output(self) -> Any:
        """The symbolic output, or the structure of outputs."""
        return self._outputs_struct

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic inputs, in a flat list."""
        return leaves(self._inputs_struct)

    @property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic outputs, in a flat list."""
        return leaves(self._outputs_struct)

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs, in the order of `inputs`."""
        return [x.name for x in self.inputs]

    @property
    def input_shape(self) -> Any:
        """The shape of the input, or a list of those of the inputs."""
        return alone([x.shape for x in self.inputs])

    @property
    def output_shape(self) -> Any:
        """The shape of the output, or a list of those of the outputs."""
        return alone([x.shape for x in self.outputs])

    @property
    def _output_keys(self) -> list[str]:  # type: ignore[override]
        """What targets, losses and metrics of the outputs go by: keys, or names of layers."""
        outputs = self._outputs_struct
        if isinstance(outputs, dict) and all(isinstance(x, KerasTensor) for x in outputs.values()):
            return in_order(outputs)
        return self.output_names

    def _arrange(self, x: Any) -> list[Any]:
        """Return what was passed as data for the inputs, in their order."""
        return self._flat_inputs(self._only_input(x))

    def _put_together(self, x: list[Any]) -> Any:
        return x[0] if len(x) == 1 else repack(self._inputs_struct, x)

    # --- computing --------------------------------------------------------------------------

    @property
    def _output_count(self) -> int:  # type: ignore[override]
        return len(self.outputs)

    @property
    def _wraps_output(self) -> bool:  # type: ignore[override]
        return isinstance(self._outputs_struct, dict)

    def leaves(self) -> list[Layer]:
        """Return the layers that compute, those of nested models included."""
        found: list[Layer] = []
        for node in self._topology.nodes:
            if node.inputs:
                if isinstance(node.layer, Model) and not node.layer._python_call:
                    found += node.layer._entrances()
                found += node.layer.leaves()
        return found

    def _entrances(self) -> list[InputLayer]:
        return list(self._input_layers)

    def _inside(
        self, graph: _plan.Graph, inputs: list[_plan.Ref], training: bool | None
    ) -> list[_plan.Ref]:
        refs = {id(x): ref for x, ref in zip(self.inputs, inputs, strict=True)}
        for node in self._topology.nodes:
            if not node.inputs:
                continue
            args, kwargs = map_structure(lambda x: refs.get(id(x), x), (node.args, node.kwargs))
            behaves = kwargs.pop("training", None) if node.layer is not None else None
            made = node.layer.trace(
                graph, args, kwargs, len(node.outputs), training if behaves is None else behaves
            )
            refs.update(zip(map(id, node.outputs), made, strict=True))
        return [refs[id(x)] for x in self.outputs]

    def _arranged(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the inputs as the one array, or as a flat list in the order of `inputs`."""
        if len(args) != 1:
            raise ValueError(
                f"Model '{self.name}' takes its inputs as one argument: an array, or a list or "
                f"dict of them. Received: {len(args)} arguments"
            )
        flat = self._flat_inputs(args[0])
        return (flat[0],) if len(flat) == 1 else (flat,)

    def _flat_inputs(self, x: Any) -> list[Any]:
        """Return what was passed for the inputs, in their order.

        Raises:
            ValueError: another number of arrays, a dict without one, or a list that does not say
                which is which.
        """
        expected = self._inputs_struct
        names = self.input_names
        if isinstance(x, dict):
            keys = in_order(expected) if isinstance(expected, dict) else names
            if not set(keys) <= set(x):
                raise ValueError(
                    f"Model '{self.name}' expects inputs of the names {keys}. Received: {list(x)}"
                )
            x = [x[key] for key in keys]
            expected = None
        listed = isinstance(x, (list, tuple))
        if listed and isinstance(expected, dict) and list(expected) != in_order(expected):
            raise ValueError(
                f"Model '{self.name}' takes a dict of inputs, {list(expected)}, for which no list "
                f"can stand: their order is not that of their names. Received: a {type(x).__name__}"
            )
        flat = leaves(x) if listed else [x]
        if len(flat) != len(names):
            raise ValueError(
                f"Model '{self.name}' expects {len(names)} input(s), {names}, none of which may be "
                f"None. Received: {len(flat)} of them"
            )
        return flat

    def _adapt(self, array: np.ndarray) -> np.ndarray:
        return self._fit_input(self._input_layers[0], array)

    def _adapt_all(self, arrays: Any) -> list[np.ndarray]:
        return [
            self._fit_input(layer, array)
            for layer, array in zip(self._input_layers, arrays, strict=True)
        ]

    def _packed(self, outputs: list[Any]) -> Any:
        if len(outputs) == 1 and isinstance(self._outputs_struct, (list, tuple)):
            return outputs[0]
        return repack(self._outputs_struct, outputs)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Run the layers without the checks and casts around a call."""
        arrays = [np.ascontiguousarray(x) for x in self._flat_inputs(inputs)]
        masks = leaves(mask) or None
        graph = self._graph((), {})
        program = _plan.Program(graph, training=bool(training), precision=self._precision)
        return self._packed([_plan.KerasArray.attach(*item) for item in program(arrays, masks)])

    # --- shapes -----------------------------------------------------------------------------

    def compute_output_shape(self, input_shape: Any) -> Any:
        shapes = [input_shape] if is_shape(input_shape) else flat_shapes(input_shape)
        if shapes == [x.shape for x in self.inputs]:
            return self._packed([x.shape for x in self.outputs])
        known: dict[int, Shape] = {}
        for tensor, shape in zip(self.inputs, shapes, strict=True):
            known[id(tensor)] = tuple(shape)
        for node in self._topology.nodes:
            if node.inputs:
                args, kwargs = map_structure(
                    lambda x: KerasTensor(known[id(x)], x.dtype) if id(x) in known else x,
                    (node.args, node.kwargs),
                )
                made = leaves(node.layer.compute_output_spec(*args, **kwargs))
                known.update((id(x), y.shape) for x, y in zip(node.outputs, made, strict=True))
        return self._packed([known[id(x)] for x in self.outputs])

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        (inputs,) = args
        flat = self._flat_inputs(inputs)
        shapes = self.compute_output_shape([tuple(x.shape) for x in flat])
        found = [shapes] if is_shape(shapes) else flat_shapes(shapes)
        made = [KerasTensor(s, x.dtype) for s, x in zip(found, self.outputs, strict=True)]
        return self._packed(made)

    def _layer_shapes(self) -> list[Any]:
        found = []
        for layer in self._layers:
            node = layer._inbound_nodes[-1]
            shapes = [x.shape for x in node.outputs]
            found.append(shapes[0] if len(shapes) == 1 else shapes)
        return found

    # --- configuration ----------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        from .graph_config import config_of

        if takes_inputs_and_outputs(type(self)):
            return config_of(self)
        return {**init_arguments(self), **super().get_config()}

    def get_build_config(self) -> dict[str, Any] | None:
        return None

    # --- copying ----------------------------------------------------------------------------

    def __reduce_ex__(self, protocol: Any) -> Any:
        make, args, state = super().__reduce_ex__(protocol)
        # The calls first: each after those before it, so that none is reached through another.
        nodes = self._topology.nodes
        return make, args, {"_copied_nodes": nodes, **state}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for node in state.pop("_copied_nodes"):
            node.number = len(node.layer.__dict__.setdefault("_inbound_nodes", []))
            node.layer._inbound_nodes.append(node)
        super().__setstate__(state)
