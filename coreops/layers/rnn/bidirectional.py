"""Bidirectional: a recurrent layer over time and back."""

from __future__ import annotations

from typing import Any

from ... import _plan, ops
from ..._plan import merging
from ..._symbolic import Shape
from ...saving import objects
from ..arguments import check_mask
from ..layer import Layer
from .arguments import arranged, as_list, values_of
from .recurrent import Recurrent
from .wrapper import checked_layer

_MERGES = {"sum": "add", "mul": "multiply", "ave": "average"}  # as the kernels name them
_MODES = ("concat", *_MERGES, None)


class Bidirectional(Layer):
    """Runs a recurrent layer forward and another one backward over time, and merges the results.

    Args:
        layer: the recurrent layer; a copy of it goes forward.
        merge_mode: "concat", "sum", "mul", "ave", or None: the two results apart.
        weights: arrays for both layers, the forward one's first.
        backward_layer: the layer that goes backward; by default a copy of the other.
        **kwargs: base layer keywords: `name`, `dtype`, `trainable`.

    Sequences of the backward layer are turned round, so that steps match. Masked steps give 0 in
    sequences.

    Raises:
        ValueError: no recurrent layer, an unknown `merge_mode`, two layers that go the same way or
            that differ in what they return.
    """

    integer_input = "cast"
    _several = True
    _call_arguments = ("initial_state",)

    def __init__(
        self,
        layer: Recurrent,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Recurrent | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        owner = f"Layer '{self.name}'"
        checked_layer(owner, layer)
        if backward_layer is not None:
            checked_layer(owner, backward_layer, "backward_layer")
        if merge_mode not in _MODES:
            raise ValueError(
                f"{owner}: `merge_mode` must be one of {_MODES}. Received: {merge_mode!r}"
            )
        if not isinstance(layer, Recurrent):
            raise ValueError(f"{owner}: `layer` must be recurrent. Received: {layer!r}")
        self.forward_layer = _copy(layer, "forward", {})
        if backward_layer is None:
            backward_layer = _copy(layer, "backward", {"go_backwards": True})
        self.backward_layer = backward_layer
        self._check_pair()
        for one in (self.forward_layer, self.backward_layer):
            one.zero_output_for_mask = one.return_sequences
        if weights is not None:
            half = len(weights) // 2
            self.forward_layer._initial_weights = list(weights[:half])
            self.backward_layer._initial_weights = list(weights[half:])
        self.merge_mode = merge_mode
        self.return_sequences = layer.return_sequences
        self.return_state = layer.return_state
        self.stateful = layer.stateful
        self.input_spec = layer.input_spec

    def _check_pair(self) -> None:
        forward, backward = self.forward_layer, self.backward_layer
        if forward.go_backwards == backward.go_backwards:
            raise ValueError(
                f"Layer '{self.name}': one of its layers must go backwards, the other not. "
                f"Received: go_backwards={forward.go_backwards} in both"
            )
        for name in ("stateful", "return_sequences", "return_state"):
            if getattr(forward, name) != getattr(backward, name):
                raise ValueError(
                    f"Layer '{self.name}': its layers must agree in `{name}`. Received: "
                    f"{getattr(forward, name)} and {getattr(backward, name)}"
                )

    @property
    def _pair(self) -> tuple[Recurrent, Recurrent]:
        return self.forward_layer, self.backward_layer

    # --- building, shapes, states -------------------------------------------------------------

    def build(self, input_shape: Shape) -> None:
        for layer in self._pair:
            if not layer.built:
                layer.build(input_shape)
        self.input_spec = self.forward_layer.input_spec

    def compute_output_shape(self, input_shape: Any, initial_state_shape: Any = None) -> Any:
        one, other = (layer.compute_output_shape(input_shape) for layer in self._pair)
        states: tuple = ()
        if self.return_state:
            states = (*one[1:], *other[1:])
            one, other = one[0], other[0]
        if self.merge_mode is None:
            return (one, other, *states)
        if self.merge_mode == "concat":
            one = (*one[:-1], one[-1] + other[-1])
        return (one, *states) if states else one

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        if isinstance(mask, (list, tuple)):
            mask = mask[0]
        mask = mask if self.return_sequences else None
        masks = [mask, mask] if self.merge_mode is None else [mask]
        if self.return_state:
            masks += [None] * (2 * self.forward_layer.cell.states)
        return masks if len(masks) > 1 else mask

    @property
    def states(self) -> list[Any] | None:
        """The states of both layers, if they are stateful and have any."""
        forward, backward = (layer.states for layer in self._pair)
        return None if forward is None or backward is None else [*forward, *backward]

    def reset_state(self) -> None:
        """Set the states of both layers to zero.

        Raises:
            AttributeError: they are not stateful.
        """
        if not self.stateful:
            raise AttributeError(f"Layer '{self.name}' is not stateful.")
        for layer in self._pair:
            layer.reset_state()

    reset_states = reset_state

    # --- computing ----------------------------------------------------------------------------

    def _arranged(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return arranged(args)

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        """Compute the output one step after the other, in Python."""
        states: list[Any] = [None, None]
        if initial_state is not None:
            given = as_list(initial_state)
            half = len(given) // 2
            states = [given[:half], given[half:]]
        made = [
            layer.call(sequences, initial_state=own, mask=mask, training=training)
            for layer, own in zip(self._pair, states, strict=True)
        ]
        last: list[Any] = []
        if self.return_state:
            last = [*made[0][1:], *made[1][1:]]
            made = [one[0] for one in made]
        if self.return_sequences:
            made[1] = made[1][:, ::-1]
        merged = self._merge(*made)
        outputs = [*merged, *last] if isinstance(merged, tuple) else [merged, *last]
        return tuple(outputs) if len(outputs) > 1 else merged

    def _merge(self, one: Any, other: Any) -> Any:
        if self.merge_mode == "concat":
            return ops.concatenate([one, other], axis=-1)
        if self.merge_mode == "sum":
            return one + other
        if self.merge_mode == "mul":
            return one * other
        if self.merge_mode == "ave":
            return (one + other) / 2
        return one, other

    @property
    def _output_count(self) -> int:  # type: ignore[override]
        states = 2 * self.forward_layer.cell.states if self.return_state else 0
        return (2 if self.merge_mode is None else 1) + states

    def _packed(self, outputs: list[Any]) -> Any:
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def emit(self, flow: Any, x: Any, initial_state: Any = None) -> Any:
        one, other = self._pair
        whole = x.mask
        x = x._replace(mask=merging.of_steps(flow, whole))
        check_mask(self.name, x.mask, x.shape[0])
        given = values_of(self, initial_state, [*one.state_size, *other.state_size])
        if not all(layer.has_steps(x) for layer in self._pair):
            return _plan.Seam(
                [x, *given], lambda arrays, masks: self._seam(arrays, masks[0], flow.training)
            )
        half = len(given) // 2
        forward, backward = self._emit_pair(flow, x, given[:half], given[half:])
        mask = whole if self.return_sequences else None
        if self.merge_mode is None:
            made = [forward[0]._replace(mask=mask), backward[0]._replace(mask=mask)]
        elif self.merge_mode == "concat":
            made = [backward[0]._replace(mask=mask)]
        else:
            merged = _plan.merge(flow, _MERGES[self.merge_mode], [forward[0], backward[0]])
            made = [merged._replace(mask=mask)]
        made += [*forward[1:], *backward[1:]]
        return made[0] if len(made) == 1 else made

    def _emit_pair(self, flow: Any, x: Any, first: list[Any], second: list[Any]) -> tuple:
        """What the two layers give, the backward one's steps turned round; if they are to be
        concatenated, they write into one result."""
        forward, backward = self._pair
        if self.merge_mode != "concat":
            return (
                forward.emit_steps(flow, x, first),
                backward.emit_steps(flow, x, second, turned=True),
            )
        width = forward.units + backward.units
        place = _plan.Place(None, width, 0)
        one = forward.emit_steps(flow, x, first, place)
        place = _plan.Place(one[0], width, forward.units)
        return one, backward.emit_steps(flow, x, second, place, turned=True)

    def _seam(self, arrays: Any, mask: Any, training: bool) -> tuple[Any, Any]:
        y = self.call(arrays[0], arrays[1:] or None, mask=mask, training=training)
        return y, mask if self.return_sequences else None

    # --- configuration ------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "merge_mode": self.merge_mode,
            "layer": objects.serialize_keras_object(self.forward_layer),
            "backward_layer": objects.serialize_keras_object(self.backward_layer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Bidirectional:
        """Return a new layer around those that the config describes."""
        config = dict(config)
        for name in ("layer", "backward_layer"):
            if isinstance(config.get(name), dict):
                config[name] = objects.deserialize_keras_object(config[name], family="layers")
        return cls(**config)


def _copy(layer: Recurrent, direction: str, changes: dict[str, Any]) -> Recurrent:
    """A layer of the same configuration, named after the way that it goes."""
    config = {**layer.get_config(), **changes}
    config["name"] = f"{direction}_{layer.name.removeprefix(f'{direction}_')}"
    made: Any = type(layer).from_config(config)
    made.build_from_config(layer.get_build_config() or {})
    return made
