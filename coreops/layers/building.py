"""Building a layer: what a weight is called, and what happens around `build`."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._symbolic import as_shape, is_shape

if TYPE_CHECKING:
    from .layer import Layer

build_lock = threading.RLock()
_paths = threading.local()


class path_scope:
    """Names the layer whose parts are being built, so that variables get a full path."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        _paths.__dict__.setdefault("stack", []).append(self.name)

    def __exit__(self, *exc_info: object) -> None:
        _paths.stack.pop()


def current_path() -> str:
    """Return the path of the layer being built in this thread, "" outside of one."""
    return "/".join(_paths.__dict__.get("stack", ()))


class Unbuilt:
    """In a class, what a weight is before its layer is built: an AttributeError that says so."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        if layer is None:
            return self
        raise AttributeError(
            f"'{type(layer).__name__}' object has no attribute '{self._name}'. Layer "
            f"'{layer.name}' is not built: its weights are made when it is first called, or by "
            "`build(input_shape)`."
        )


def tracked_build(build: Callable[..., None]) -> Callable[..., None]:
    """Wrap a class's `build`: the outermost one names, records and completes the building."""

    needs_shape = not build.__defaults__

    @functools.wraps(build)
    def outermost(self: Layer, *args: Any, **kwargs: Any) -> None:
        state = self.__dict__
        if self._building:
            return build(self, *args, **kwargs)
        if needs_shape and args and (args[0] is None or args[0] == ()) and not self._python_call:
            raise ValueError(
                f"Layer '{self.name}': build() takes a shape, batch axis first. "
                f"Received: input_shape={args[0]}"
            )
        try:
            args = tuple(
                as_shape(arg) if is_shape(arg) or isinstance(arg, (int, float, str)) else arg
                for arg in args
            )
        except ValueError as error:
            raise ValueError(f"Layer '{self.name}': build(): {error}") from None
        state["_building"] = True
        try:
            with path_scope(self.name):
                build(self, *args, **kwargs)
        finally:
            state["_building"] = False
        state["_build_shape"] = args[0] if args else next(iter(kwargs.values()), None)
        state["built"] = state["_locked"] = True
        weights, state["_initial_weights"] = state.get("_initial_weights"), None
        if weights is not None:
            self.set_weights(weights)

    return outermost
