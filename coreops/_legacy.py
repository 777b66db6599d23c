"""Keras 1 and 2 spellings: the one place that knows them.

Old names are translated, with a DeprecationWarning, and never written into configs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from ._warnings import warn

_Function = TypeVar("_Function", bound=Callable)

_WEIGHT_NAMES: dict[str, str | None] = {
    "init": "kernel_initializer",
    "W_regularizer": "kernel_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
    "kernel_constraints": "kernel_constraint",
    "bias_constraints": "bias_constraint",
    "bias": "use_bias",
}

_RECURRENT_NAMES: dict[str, str | None] = {
    "output_dim": "units",
    **_WEIGHT_NAMES,
    "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation",
    "U_regularizer": "recurrent_regularizer",
    "U_constraint": "recurrent_constraint",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
    "consume_less": None,
}

_WINDOW_NAMES: dict[str, str | None] = {
    "border_mode": "padding",
    "dim_ordering": "data_format",
    "subsample": "strides",
    "subsample_length": "strides",
    "atrous_rate": "dilation_rate",
}
_CONVOLUTION_NAMES: dict[str, str | None] = {
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    **_WEIGHT_NAMES,
    **_WINDOW_NAMES,
}
_POOLING_NAMES: dict[str, str | None] = {
    "pool_length": "pool_size",
    "stride": "strides",
    **_WINDOW_NAMES,
}

# What models of Keras 1 and 2 had, and what stands for it.
GONE = {
    "fit_generator": "`fit` takes generators",
    "evaluate_generator": "`evaluate` takes generators",
    "predict_generator": "`predict` takes generators",
    "predict_classes": "take `np.argmax(model.predict(x), -1)`, or `model.predict(x) > 0.5`",
    "predict_proba": "take `predict`",
    "to_yaml": "take `to_json`",
}


def shape_first(add_weight: _Function) -> _Function:
    """Decorate `add_weight`: its first argument is not the name any more, as it was in Keras 2."""

    @functools.wraps(add_weight)
    def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        if args and isinstance(args[0], str):
            raise ValueError(
                f"Layer '{self.name}': add_weight: the first argument is the shape, `name` must "
                f"be passed as a keyword argument. Received: {args[0]!r}"
            )
        return add_weight(self, *args, **kwargs)

    return cast(_Function, checked)


# class -> old keyword -> new keyword, None for one that says nothing any more
RENAMED: dict[str, dict[str, str | None]] = {
    "_Conv": _CONVOLUTION_NAMES,
    "_Pooling": _POOLING_NAMES,
    "_Separable": {**_CONVOLUTION_NAMES, "pointwise_constraints": "pointwise_constraint"},
    "AlphaDropout": {"p": "rate"},
    "BatchNormalization": {"beta_init": "beta_initializer", "gamma_init": "gamma_initializer"},
    "Cropping2D": {"dim_ordering": "data_format"},
    "Dense": {"output_dim": "units", **_WEIGHT_NAMES},
    "Dropout": {"p": "rate"},
    "Embedding": {
        "init": "embeddings_initializer",
        "W_regularizer": "embeddings_regularizer",
        "W_constraint": "embeddings_constraint",
    },
    "GRU": {**_RECURRENT_NAMES},
    "GlobalAveragePooling2D": {"dim_ordering": "data_format"},
    "GlobalMaxPooling2D": {"dim_ordering": "data_format"},
    "GaussianDropout": {"p": "rate"},
    "GaussianNoise": {"sigma": "stddev"},
    "InputLayer": {"input_shape": "shape", "batch_input_shape": "batch_shape"},
    "LSTM": {**_RECURRENT_NAMES},
    "LeakyReLU": {"alpha": "negative_slope"},
    "PReLU": {"init": "alpha_initializer"},
    "SimpleRNN": {**_RECURRENT_NAMES},
    "SpatialDropout1D": {"p": "rate"},
    "SpatialDropout2D": {"p": "rate", "dim_ordering": "data_format"},
    "UpSampling1D": {"length": "size"},
    "UpSampling2D": {"dim_ordering": "data_format"},
    "ZeroPadding2D": {"dim_ordering": "data_format"},
}
# old keyword -> old value -> new value
_VALUES = {
    "dim_ordering": {"th": "channels_first", "tf": "channels_last", "default": None},
}
# class -> where its old keywords stand
_FAMILIES = {
    **dict.fromkeys(("Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D"), "_Conv"),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), "_Separable"),
    **{f"{kind}Pooling{rank}D": "_Pooling" for kind in ("Max", "Average") for rank in (1, 2)},
}

_IN_TIME = ("Conv1D", "GRU", "LSTM", "SimpleRNN")  # layers of sequences that Keras 1 had


def modern_config(class_name: str, config: dict[str, Any]) -> dict[str, Any]:
    """Return the config of a layer, from a file, with today's keywords."""
    renamed = RENAMED.get(_FAMILIES.get(class_name, class_name), {})
    renamed = {"dim_ordering": "data_format", **renamed}
    made: dict[str, Any] = {}
    for old, value in config.items():
        new = renamed.get(old, old)
        if new is not None:
            hashable = isinstance(value, str)
            made[new] = _VALUES.get(old, {}).get(value, value) if hashable else value
    if "nb_row" in made:
        made["kernel_size"] = [made.pop("nb_row"), made.pop("nb_col", None)]
    return made


def accepts_old_names(init: Callable) -> Callable:
    """Decorate a layer's `__init__` so that it takes the old keywords of its class.

    Raises:
        ValueError: (from the decorated `__init__`) if an old keyword comes with the new one.
    """
    renamed = RENAMED[init.__qualname__.split(".")[0]]

    @functools.wraps(init)
    def translate(self: Any, *args: Any, **kwargs: Any) -> None:
        class_name = type(self).__name__
        if "nb_row" in kwargs and "nb_filter" in renamed:
            _warn(f"{class_name}: `nb_row` and `nb_col` are the old spelling of `kernel_size`.")
            kwargs["kernel_size"] = (kwargs.pop("nb_row"), kwargs.pop("nb_col", None))
        for old in kwargs.keys() & renamed.keys():
            new = renamed[old]
            if new is None:
                _warn(f"{class_name}: `{old}` has no effect any more.")
                del kwargs[old]
                continue
            if new in kwargs:
                raise ValueError(
                    f"{class_name} received both `{new}` and its old spelling `{old}`."
                )
            _warn(f"{class_name}: `{old}` is the old spelling of `{new}`.")
            value = kwargs.pop(old)
            kwargs[new] = _VALUES.get(old, {}).get(value, value)
        init(self, *args, **kwargs)

    return translate


def rows_and_columns(class_name: str, args: tuple) -> tuple:
    """Return a convolution's positional arguments, of which three ints are filters, rows and
    columns."""
    if len(args) != 3 or not all(type(size) is int for size in args):
        return args
    filters, rows, columns = args
    _warn(f"{class_name}({filters}, {rows}, {columns}) is the old form of Conv2D with a tuple.")
    return filters, (rows, columns)


def merge_by_mode(mode: Any, concat_axis: Any, dot_axes: Any) -> tuple[str, dict[str, Any]] | None:
    """Return the class of today that a Merge of Keras 1 is by its mode, and its options; None for
    what is no mode."""
    joined, products = {"axis": concat_axis}, {"axes": dot_axes}
    modes: dict[str, tuple[str, dict[str, Any]]] = {
        "sum": ("Add", {}),
        "mul": ("Multiply", {}),
        "ave": ("Average", {}),
        "max": ("Maximum", {}),
        "concat": ("Concatenate", joined),
        "dot": ("Dot", products),
        "cos": ("Dot", {**products, "normalize": True}),
    }
    return modes.get(mode) if isinstance(mode, str) else None


def warn_of_merge(mode: Any) -> None:
    """Say that `merge` has layers in its place."""
    _warn(f"`merge(..., mode={mode!r})` is the old form of Add, Concatenate, Dot and their kin.")


def pop_first_layer_shape(cls: type, kwargs: dict[str, Any]) -> tuple | None:
    """Take the input shape that Keras 1 and 2 let the first layer of a model declare.

    Args:
        cls: the class of the layer: what goes through time takes sequences of any length where
            `input_dim` comes without `input_length`.
        kwargs: a layer's base keywords; `batch_input_shape`, `input_shape`, `input_dim`,
            `input_length`, `batch_size` and `input_dtype` are removed.

    Returns:
        The shape with the batch axis first, or None if none was declared.
    """
    batch_size = kwargs.pop("batch_size", None)
    length = kwargs.pop("input_length", None)
    kwargs.pop("input_dtype", None)
    in_time = length is not None or any(base.__name__ in _IN_TIME for base in cls.__mro__)
    shape: tuple | None = None
    for keyword in ("input_dim", "input_shape", "batch_input_shape"):
        value = kwargs.pop(keyword, None)
        if value is None:
            continue
        _warn(f"`{keyword}=` on a layer is the old form of an `Input(shape)` before it.")
        if keyword == "input_dim":
            shape = (batch_size, length, value) if in_time else (batch_size, value)
        elif keyword == "input_shape":
            shape = (batch_size, *value)
        else:
            shape = tuple(value)
    return shape


def pop_initial_weights(kwargs: dict[str, Any]) -> list | None:
    """Take Keras 1's `weights=[...]`: arrays that a layer receives once it is built."""
    weights = kwargs.pop("weights", None)
    if weights is not None:
        _warn("`weights=` on a layer is the old form of `layer.set_weights(...)`.")
    return weights


def _warn(message: str) -> None:
    warn(message, DeprecationWarning)
