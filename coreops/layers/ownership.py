"""Owner: what is set as an attribute of a layer belongs to it."""

from __future__ import annotations

import copyreg
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Self

from .. import _kernels
from .._symbolic import Node, instances
from .._variables import Variable
from ..random import SeedGenerator

if TYPE_CHECKING:
    from inspect import Signature


class _Signature:
    """How a class is called, for `help` and editors: as its `__init__` says, where some Pythons
    would read it off `__new__`."""

    def __get__(self, layer: Any, cls: type) -> Signature:
        if layer is not None:
            raise AttributeError("__signature__")  # of how a layer is called this says nothing
        from inspect import signature

        found = signature(cls.__init__)  # type: ignore[misc]
        return found.replace(parameters=list(found.parameters.values())[1:])


class Owner(_kernels.Callable):
    """The attributes of a layer, and what of them is its own.

    Variables and sublayers are found by assignment: what is set as an attribute, also inside a
    list, tuple or dict, belongs to the layer.
    """

    name: str
    built: bool
    activity_regularizer: Callable | None
    _trainable: bool
    _trained: list[Variable]  # own variables, by kind and in order of creation
    _fixed: list[Variable]
    _holders: dict[str, Any]  # attribute -> layer, or container that may hold layers
    _call_losses: list[Any]
    _programs: dict[tuple | str, Any]
    _revision: int
    _init_args: tuple[tuple, dict[str, Any]]
    _inbound_nodes: list[Node]  # its calls on symbolic tensors
    _call_parameters: dict[str, Any]

    _ready = False  # set by Layer.__init__; attributes may be assigned before
    _compiled = False  # a plan was made from the present attributes
    _python_call = False  # the class computes in a Python `call`, not in steps of a plan
    _building = False  # inside `build`
    _locked = False  # after it: no weights may be added
    _build_shape: Any = None  # what it was called with

    __signature__ = _Signature()

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        state = self.__dict__
        state["_trained"] = []
        state["_fixed"] = []
        state["_holders"] = {}
        state["_call_losses"] = []
        state["_programs"] = {}
        state["_revision"] = 0
        state["_init_args"] = (args, kwargs)
        state["_inbound_nodes"] = []
        return self

    if TYPE_CHECKING:

        @property
        def variable_dtype(self) -> str: ...

    # --- tracking ---------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Variable):
            self._track(value)
        elif isinstance(value, (Owner, list, tuple, dict)):
            self._holders[name] = value
            _kernels.bump_epoch()
        elif self._holders.pop(name, None) is not None:
            _kernels.bump_epoch()
        super().__setattr__(name, value)
        if self._compiled and name[0] != "_" and name != "trainable":  # which sees to itself
            self._changed(name)

    def __delattr__(self, name: str) -> None:
        value = getattr(self, name)
        self._holders.pop(name, None)
        if isinstance(value, Variable):
            for kind in (self._trained, self._fixed):
                kind[:] = [own for own in kind if own is not value]
        super().__delattr__(name)
        self._changed(name)

    def _track(self, variable: Variable) -> None:
        if not any(own is variable for own in self._own_variables):
            (self._trained if variable.trainable else self._fixed).append(variable)

    def _changed(self, name: str) -> None:
        """Make plans that read attribute `name` out of date."""
        if not self._python_call or name in ("activity_regularizer", "supports_masking"):
            self._revision += 1
            self._uninstall()
            _kernels.bump_epoch()

    @property
    def _own_variables(self) -> list[Variable]:
        """The layer's own variables: trainable ones first, each kind in order of creation."""
        return self._trained + self._fixed

    @property
    def _own_streams(self) -> list[SeedGenerator]:
        """The layer's own random streams."""
        return [value for value in vars(self).values() if isinstance(value, SeedGenerator)]

    @property
    def _sublayers(self) -> list[Owner]:
        seen: set[int] = set()
        found = {
            id(x): x for value in self._holders.values() for x in instances(value, Owner, seen)
        }
        found.pop(id(self), None)
        return list(found.values())

    def _flatten_layers(self) -> Iterator[Owner]:
        """Yield the layer and everything inside it, each once, parents first."""
        seen: set[int] = set()
        pending: list[Owner] = [self]
        while pending:
            layer = pending.pop(0)
            if id(layer) not in seen:
                seen.add(id(layer))
                yield layer
                pending = layer._sublayers + pending

    # --- copying ----------------------------------------------------------------------------

    def __reduce_ex__(self, protocol: Any) -> tuple[Callable, tuple, dict[str, Any]]:
        state = {**self.__dict__, "_programs": {}, "_compiled": False, "_inbound_nodes": []}
        return copyreg.__newobj__, (type(self),), state  # type: ignore[attr-defined]  # no stub

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def _check_ready(self) -> None:
        if not self._ready:
            raise RuntimeError(
                f"In layer class '{type(self).__name__}', `super().__init__()` was not called: "
                "make it the first statement of `__init__()`."
            )
