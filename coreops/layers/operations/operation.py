"""Operation: a function of `coreops.ops` as a call between symbolic tensors."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

from ... import _plan, ops
from ..._symbolic import KerasTensor, leaves, map_structure, repack, symbolic
from ...saving import registry
from ..layer import Layer
from ..tracing import record
from . import table
from .shapes import output_spec
from .steps import STEPS

_REQUIRED = inspect.Parameter.empty


class Operation(Layer):
    """A function of `coreops.ops` with its options: what `ops.mean(x, axis=1)` and `x + y` are for
    symbolic tensors. As in Keras it is no layer of a model, but one of its `operations`.

    Args:
        name: by default the function's, numbered.
        **options: the arguments of the function that are no arrays.

    Raises:
        TypeError: an option that the function does not have.
    """

    _stateless = takes_any = True
    _op = ""  # the function's name

    def __init__(self, *, name: str | None = None, **options: Any) -> None:
        super().__init__(name=name)
        names = self.option_names()
        unknown = sorted(key for key in options.keys() - set(names) if options[key] is not None)
        if unknown:
            raise TypeError(f"ops.{self._op} has no such options. Received: {unknown}")
        given = {**_parameters(self._op), **options}
        self._options = {key: given[key] for key in names if given[key] is not _REQUIRED}
        self._reals = False  # it gives reals
        self.supports_masking = True  # which means that they may come, and end here

    @classmethod
    def option_names(cls) -> list[str]:
        """Return the names of the function's options."""
        return [name for name in _parameters(cls._op) if name not in cls._taken()]

    @classmethod
    def is_bounded(cls) -> bool:
        """Whether a file that nobody vouches for may have the function."""
        return table.is_bounded(cls._op)

    @classmethod
    def _taken(cls) -> tuple[str, ...]:
        return table.taken(cls._op, list(_parameters(cls._op)))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply the function to arrays, or enter it between symbolic tensors."""
        given = [x for x in leaves((args, kwargs)) if isinstance(x, KerasTensor)]
        if not given:
            return self._apply(*self._ordered(args, kwargs))
        made = self.compute_output_spec(*args, **kwargs)
        results = leaves(made)
        reals = {x.dtype for x in [*given, *results] if "float" in x.dtype}
        leads = {x.shape[:1] for x in [*given, *results]}
        self.mixes_samples = len(leads) > 1 or () in leads
        self._reals = all("float" in x.dtype for x in results)
        self.dtype_policy = "float64" if "float64" in reals else "float32"
        return record(self, args, kwargs, made)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        return output_spec(self._op, self._apply, self._ordered(args, kwargs), self._options)

    def _ordered(self, args: tuple, kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Return what a call takes, without names."""
        named = (kwargs.get(name) for name in self._taken()[len(args) :])
        return (*args, *(x for x in named if x is not None))

    def _apply(self, *args: Any) -> Any:
        """Call the function on arrays."""
        function = getattr(ops, self._op)
        if self._op == "einsum":
            return function(self._options["subscripts"], *args)
        if self._op == "get_item" and isinstance(args[1], list):  # as files have a tuple
            args = args[0], tuple(args[1])
        return function(**dict(zip(self._taken(), args, strict=False)), **self._options)

    def _prepare(self, shape: Any, dtype: Any = None, *more: Any) -> None:
        """Do nothing: there is nothing to build."""

    def emit(self, flow: Any, *args: Any, **kwargs: Any) -> Any:
        args = self._ordered(args, kwargs)
        values = [x for x in leaves(args) if isinstance(x, _plan.Value)]
        step = STEPS.get(self._op)
        if (
            step is not None
            and self._reals
            and not self.mixes_samples
            and all(x.is_real for x in values)
        ):
            made = step(flow, *args, **self._options)
            if made is not None:
                return map_structure(lambda y: y._replace(mask=None), made)

        def run(arrays: list[Any], masks: list[Any]) -> tuple[Any, None]:
            items = iter(arrays)
            flat = leaves(args)
            filled = [next(items) if isinstance(x, _plan.Value) else x for x in flat]
            return _as_list(self._apply(*repack(args, filled))), None

        return _plan.Seam(values, run)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, **self._options}

    def get_build_config(self) -> None:
        """Return None: there is nothing to build."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        _, _, state = super().__reduce_ex__(protocol)
        return _blank, (self._op,), state


@cache
def _parameters(name: str) -> dict[str, Any]:
    """Return the parameters of a function, with their defaults."""
    parameters = inspect.signature(getattr(ops, name)).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is not p.VAR_KEYWORD}


def _as_list(made: Any) -> Any:
    return list(made) if isinstance(made, tuple) else made


def _blank(name: str) -> Operation:
    cls = class_of(name)
    return cls.__new__(cls)


@cache
def class_of(name: str) -> type[Operation]:
    """Return the class for a function of the table."""
    cls = type(table.class_name(name), (Operation,), {"_op": name, "__module__": __name__})
    return registry.add("ops", cls, module=table.MODULES[name])


def find_class(name: str) -> type[Operation] | None:
    """Return the class that Keras calls by that name, None if there is none."""
    op = table.CLASSES.get(name)
    return None if op is None else class_of(op)


def call(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a function of the table on symbolic tensors.

    Raises:
        TypeError: the arguments do not fit the function.
    """
    cls = class_of(name)
    bound = inspect.signature(getattr(ops, name)).bind(*args, **kwargs)
    bound.apply_defaults()
    given: dict[str, Any] = bound.arguments
    taken = cls._taken()
    operation = cls(**{key: given[key] for key in cls.option_names()})
    if name == "einsum":
        return operation(*given["operands"])
    count = table.positional(name, taken)
    named = {key: given[key] for key in taken[count:]}
    return operation(*(given[key] for key in taken[:count]), **named)


def _call_if_known(function: Callable, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if function.__name__ not in table.MODULES:
        return NotImplemented
    return call(function.__name__, args, kwargs)


symbolic.call = _call_if_known  # type: ignore[method-assign]
registry.add_finder("ops", find_class)
