"""Quantization configs: how a layer is to be quantized."""

from __future__ import annotations

from typing import Any

from .._dtypes import check_mode
from ..saving import objects, registry
from .quantizers import AbsMaxQuantizer, Quantizer


class QuantizationConfig:
    """Base class: what quantizes a layer's weights and what quantizes its inputs.

    Args:
        weight_quantizer: a quantizer, None for the mode's own.
        activation_quantizer: a quantizer, None for inputs that stay as they are.
    """

    def __init__(self, weight_quantizer: Any = None, activation_quantizer: Any = None) -> None:
        self.weight_quantizer = weight_quantizer
        self.activation_quantizer = activation_quantizer

    @property
    def mode(self) -> str:
        """The quantization mode."""
        raise NotImplementedError(
            "Subclasses must implement this property. Do not instantiate QuantizationConfig "
            "directly."
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that `from_config` rebuilds the config from."""
        return {
            "weight_quantizer": objects.serialize_keras_object(self.weight_quantizer),
            "activation_quantizer": objects.serialize_keras_object(self.activation_quantizer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> QuantizationConfig:
        """Return a new config like the one that `get_config` described.

        Raises:
            TypeError: it describes something else than quantizers.
        """
        made = {}
        for name in ("weight_quantizer", "activation_quantizer"):
            made[name] = objects.deserialize_keras_object(config.get(name))
            if not (made[name] is None or isinstance(made[name], Quantizer)):
                raise TypeError(f"{name} is no quantizer: {config[name]!r}")
        return cls(**made)


class Int8QuantizationConfig(QuantizationConfig):
    """Weights of 8 bits with a scale for each output, inputs of 8 bits with a scale for each row.

    Args:
        weight_quantizer: a quantizer with `output_dtype="int8"`; by default
            `AbsMaxQuantizer(axis=0)`.
        activation_quantizer: by default `AbsMaxQuantizer()`; None leaves the inputs as they are.

    Raises:
        ValueError: a weight quantizer of another output type.
    """

    def __init__(self, weight_quantizer: Any = None, activation_quantizer: Any = "default") -> None:
        if activation_quantizer == "default":
            activation_quantizer = AbsMaxQuantizer()
        super().__init__(weight_quantizer, activation_quantizer)
        if weight_quantizer is not None and weight_quantizer.output_dtype != "int8":
            raise ValueError(
                "Int8QuantizationConfig requires a weight_quantizer with output_dtype='int8'. "
                f"Received: output_dtype={weight_quantizer.output_dtype}"
            )

    @property
    def mode(self) -> str:
        return "int8"


def resolve(mode: Any, config: Any) -> QuantizationConfig:
    """Return the config that the two arguments of `quantize` stand for.

    Raises:
        ValueError: neither is given, they contradict each other, or the mode is unknown or one
            that coreops does not have.
    """
    if isinstance(config, str):
        mode, config = config, None
    if mode is not None:
        check_mode(mode)
    if config is None:
        if mode is None:
            raise ValueError("You must provide either `mode` or `config` to `quantize`.")
        return Int8QuantizationConfig()
    if not isinstance(config, QuantizationConfig):
        raise ValueError(
            "Argument `config` must be an instance of `QuantizationConfig`. "
            f"Received: config={config} (of type {type(config)})"
        )
    if mode is not None and config.mode != mode:
        raise ValueError(f"Contradictory arguments: mode='{mode}' but config.mode='{config.mode}'")
    check_mode(config.mode)
    return config


registry.add("quantizers", QuantizationConfig, "quantization_config")
registry.add("quantizers", Int8QuantizationConfig, "int8_quantization_config")
