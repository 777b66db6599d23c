"""Layer: the base class - configuration, building, and the pipeline of a call."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _dtypes, _legacy, _plan, _tape, regularizers
from .._names import auto_name, to_snake_case
from .._symbolic import (
    Node,
    alone,
    as_shape,
    is_shape,
    leaves,
    map_structure,
    shapes_in,
)
from .._variables import Variable
from ..metrics.metric import Metric, inside
from .building import build_lock, path_scope, tracked_build
from .input_spec import check_inputs
from .quantizing import Quantizable
from .running import Running
from .signatures import call_parameters, further_shapes, init_arguments
from .steps import Steps


class Layer(Running, Quantizable):
    """Base class of all layers.

    A layer describes itself: its configuration, weights and shapes, and in `emit` the steps of a
    plan that it becomes. A subclass written in Python defines `call(inputs)` instead, and may
    define `build(input_shape)`, `compute_output_shape(input_shape)`, `compute_mask(inputs, mask)`
    and `get_config()`; variables and layers set as attributes are tracked.

    Args:
        activity_regularizer: penalty on the output, divided by the batch size, in `losses`.
        trainable: whether the weights are trained.
        dtype: name of a dtype policy, or a policy; by default `config.floatx()`.
        autocast: accepted for compatibility; floating inputs are cast to the compute dtype.
        name: without "/"; by default the class name in snake case, numbered.
        **kwargs: Keras 1 and 2's `input_shape`, `input_dim`, `batch_input_shape`, `weights`.

    Raises:
        ValueError: an unknown keyword, a name that is no string or holds "/", a `trainable`
            that is no bool, an unknown dtype.
    """

    integer_input = "keep"  # or "cast": what happens to inputs that are not floating
    mixes_samples = False  # whether what it gives may depend on more than a sample of what it takes
    takes_any = False  # its Python takes arrays of any type as they are
    _stateless = False  # built from the start
    _neutral: tuple[str, ...] = ()  # options of Keras' class that are nothing while they are None
    _mask_policy: str | None = None  # None: the global one
    _precision: str | None = None  # of float32 products; None: the global one

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        cls = type(self)
        self._declared_shape = _legacy.pop_first_layer_shape(cls, kwargs)
        self._initial_weights = _legacy.pop_initial_weights(kwargs)
        if kwargs:
            raise ValueError(
                f"Unrecognized keyword arguments passed to {cls.__name__}: {sorted(kwargs)}"
            )
        name = auto_name(to_snake_case(cls.__name__)) if name is None else name
        if not isinstance(name, str) or "/" in name:
            raise ValueError(
                f"{cls.__name__}: `name` must be a string without '/'. Received: name={name!r}"
            )
        if not isinstance(trainable, bool):
            raise ValueError(
                f"Layer '{name}': `trainable` must be a bool. Received: trainable={trainable!r}"
            )
        self._dtype_policy = _dtypes.get(dtype)
        self._trainable = trainable
        self.name = name
        self.autocast = autocast
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.supports_masking = cls.compute_mask is not Layer.compute_mask
        self.input_spec: Any = None
        self.built = cls._stateless and cls.build is Layer.build
        self._ready = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = cls.__dict__
        if "build" in own:
            # A method that is replaced by itself, wrapped; below, by the one of the base class.
            cls.build = tracked_build(own["build"])  # type: ignore[method-assign]
        if {"call", "compute_mask"} & own.keys() and not {"emit", "leaves"} & own.keys():
            cls._python_call = True
            for method in ("emit", "leaves", "trace", "_graph", "_arranged"):
                setattr(cls, method, getattr(Layer, method))

    # --- types and configuration ------------------------------------------------------------

    @property
    def dtype_policy(self) -> _dtypes.DTypePolicy:
        """The types of computation and weights. Setting it leaves weights as they are, save for a
        quantized policy on a built layer: that quantizes it."""
        return self._dtype_policy

    @dtype_policy.setter
    def dtype_policy(self, policy: Any) -> None:
        policy = _dtypes.get(policy)
        if policy.quantization_mode is not None and self.built and not self._is_quantized:
            self.quantize(policy.quantization_mode)
        self._dtype_policy = policy

    @property
    def compute_dtype(self) -> str:
        """Type of the computation and of the output."""
        return self._dtype_policy.compute_dtype

    @property
    def variable_dtype(self) -> str:
        """Type of the weights."""
        return self._dtype_policy.variable_dtype

    dtype = variable_dtype

    @property
    def input_dtype(self) -> str:
        """Type that inputs are brought to."""
        return self.compute_dtype

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that `from_config` rebuilds the layer from.

        A subclass that does not define it gets the arguments of its `__init__` in addition to
        the base keys.

        Raises:
            NotImplementedError: such arguments are not plain values.
        """
        config = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": _dtypes.serialize(self._dtype_policy),
        }
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        if type(self).get_config is Layer.get_config and type(self).__init__ is not Layer.__init__:
            config = {**init_arguments(self), **config}
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Layer:
        """Return a new layer with the configuration that `get_config`, or Keras', gave."""
        return cls(**{k: v for k, v in config.items() if v is not None or k not in cls._neutral})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

    # --- building ---------------------------------------------------------------------------

    @tracked_build
    def build(self, input_shape: Any = None) -> None:
        """Create the weights for inputs of `input_shape`, batch axis first."""

    def get_build_config(self) -> dict[str, Any] | None:
        """Return what `build_from_config` needs, None for a layer that was not built."""
        return None if self._build_shape is None else {"input_shape": self._build_shape}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Build the layer as `get_build_config` recorded."""
        shape = config.get("input_shape")
        if shape is not None and not self.built:
            self.build(as_shape(shape) if is_shape(shape) else [as_shape(one) for one in shape])

    def _prepare(self, shape: Any, dtype: Any = None, *more: Any) -> None:
        """Check an input's shape (or structure of shapes) and build the layer if needed. more: the
        shapes of further arguments, for a `build` that takes them.

        Raises:
            ValueError: the input does not fit `input_spec`.
        """
        shapes = [shape] if is_shape(shape) else shapes_in(shape)
        dtypes = dtype if isinstance(dtype, list) else [dtype] * len(shapes)
        check_inputs(self.input_spec, shapes, dtypes, self.name)
        if not self.built:
            with build_lock:
                if not self.built:
                    self.build(shape, *more[: further_shapes(type(self))])
            check_inputs(self.input_spec, shapes, dtypes, self.name)

    # --- what a layer says about its output -------------------------------------------------

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the output's shape for an input shape, None where unknown.

        A layer with a `call` in Python is tried on small arrays.

        Raises:
            NotImplementedError: that did not tell.
        """
        if not self._python_call:
            raise NotImplementedError(
                f"Layer class {type(self).__name__} should define `compute_output_shape()`."
            )
        return self._tried_shape(input_shape)

    def _tried_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output of a Python `call`."""
        from .probe import probe_layer

        return probe_layer(self, [[input_shape], {}], [self.compute_dtype], {})[0]

    @property
    def _tells_shape(self) -> bool:
        """Whether the output's shape is known without running a Python `call`."""
        return type(self).compute_output_shape is not Layer.compute_output_shape

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Return the symbolic output for symbolic inputs, without building the layer."""
        from .tracing import output_spec

        return output_spec(self, args, kwargs)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return the mask of the output; by default the mask of the input."""
        return mask

    @property
    def takes_mask(self) -> bool:
        """Whether a mask may come in: the layer passes it on, or its `call` makes use of it."""
        return self.supports_masking or (
            self._python_call and "mask" in call_parameters(type(self))
        )

    def _output_dtype(self, dtype: str) -> str:
        if self.integer_input == "cast" or "float" in dtype:
            return self.compute_dtype
        return dtype

    @property
    def metrics(self) -> list[Metric]:
        """The metrics in the attributes of the layer, and of those inside it."""
        return inside(self._flatten_layers())

    @property
    def metrics_variables(self) -> list[Variable]:
        """The variables of the metrics."""
        return [variable for metric in self.metrics for variable in metric.variables]

    @property
    def input(self) -> Any:
        """The symbolic tensor that the layer was first called on, or a list of them.
        AttributeError for a layer that was not."""
        return alone(self._first_call("input").inputs)

    @property
    def output(self) -> Any:
        """What that call gave: a symbolic tensor, or a list of them."""
        return alone(self._first_call("output").outputs)

    def _first_call(self, what: str) -> Node:
        if not self._inbound_nodes:
            raise AttributeError(
                f"Layer '{self.name}' has no {what}: it was not called on a symbolic tensor."
            )
        return self._inbound_nodes[0]

    # --- computing --------------------------------------------------------------------------

    def emit(self, flow: _plan.Flow, *args: Any, **kwargs: Any) -> Any:
        """Add the layer's steps to a plan.

        Args:
            flow: the plan being made.
            *args: the input, a Value; for a layer of several inputs a list of them.
            **kwargs: Values too, for layers that take more by name.

        Returns:
            The output, a Value, or a list of them; or a Seam, where Python computes.
        """
        from .tracing import python_seam

        return python_seam(self, flow.training, args, kwargs)

    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Compute the output without the checks, casts and masks around a call.

        Raises:
            NotImplementedError: the class defines no computation.
        """
        for cls in type(self).__mro__:
            emit = cls.__dict__.get("emit", Layer.emit)
            if emit is not Layer.emit:
                from .tracing import run_steps

                return run_steps(Steps(self, emit), (inputs, *args), kwargs)
        raise NotImplementedError(f"Layer class {type(self).__name__} should define `call()`.")

    def _run(self, args: tuple, mask: Any, training: bool, kwargs: dict) -> tuple[Any, Any]:
        """Run the Python `call`; return its output and the output's mask."""
        accepted = call_parameters(type(self))
        if "training" in accepted:
            kwargs = {"training": training, **kwargs}
        if "mask" in accepted:
            kwargs = {"mask": mask, **kwargs}
            mask = kwargs["mask"]
        with path_scope(self.name):
            output = self.call(*args, **kwargs)
        kept = (np.ndarray, _tape.Tensor)
        output = map_structure(lambda y: y if isinstance(y, kept) else np.asarray(y), output)
        masks = map_structure(_plan.mask_of, output)
        if self.supports_masking and not leaves(masks):
            masks = self.compute_mask(args[0], mask)
        return output, masks

    def _call(
        self, *args: Any, training: Any = None, mask: Any = None, out: Any = None, **kwargs: Any
    ) -> Any:
        """Answer every call that does not go straight to an installed plan."""
        from .calling import call_layer

        return call_layer(self, args, kwargs, training, mask, out)

    def _adapt(self, array: np.ndarray) -> np.ndarray:
        """Bring an input array into the form that the leaves take."""
        return array
