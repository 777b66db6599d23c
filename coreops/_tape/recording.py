"""How ops and variables get onto the tape."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import numpy as np

from .._symbolic import Symbolic, symbolic
from .._variables import Variable, recorded_variables
from .rules import CONSTANT, RULES, SEQUENCES, Each
from .tensor import Node, Tensor, Traced, trace

_Op = TypeVar("_Op", bound=Callable)


def recorded(function: _Op) -> _Op:
    """Decorate an op: applied to a Tensor or a recorded Variable, it is recorded by its name;
    between symbolic tensors it is a call of their graph."""

    @functools.wraps(function)
    def op(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Traced:
            if not _is_traced((*args, *kwargs.values())):  # what was is out of reach, as in a dict
                raise
        except Symbolic:
            made = symbolic.call(function, args, kwargs)
            if made is NotImplemented:
                raise
            return made
        except (TypeError, ValueError) as error:
            _name_the_op(error, function.__name__, args, kwargs)
            raise
        return record(function, function.__name__, args, kwargs)

    return cast(_Op, op)


def record(function: Callable, name: str, args: tuple, kwargs: dict[str, Any]) -> Any:
    """Run a function on the values of its arguments; the rule of that name leads back.

    The results become Tensors. What no gradient flows through (results that are no floats, steps,
    what was made of integers) stays plain.

    Args:
        function: what to run.
        name: of an op.
        args: its arguments.
        kwargs: its keywords.

    Raises:
        NotImplementedError: there is no rule for the function, or for that argument of it.
    """
    inputs: list[tuple[Tensor, tuple[int, ...]]] = []
    if kwargs and any(_is_traced(x) for x in kwargs.values()):
        bound = inspect.signature(function).bind(*args, **kwargs)
        args, kwargs = bound.args, bound.kwargs
    values = [_plain(x, (i,), inputs) for i, x in enumerate(args)]
    try:
        y = function(*values, **kwargs)
    except (TypeError, ValueError) as error:
        _name_the_op(error, name, values, kwargs)
        raise
    several = isinstance(y, (list, tuple))
    results = [np.asarray(result) for result in (y if several else [y])]
    inputs = [(x, place) for x, place in inputs if x.dtype.kind == "f"]
    smooth = name not in CONSTANT and any(result.dtype.kind == "f" for result in results)
    if not inputs or not smooth:
        return y
    if name not in SEQUENCES:
        for i in {place[0] for _, place in inputs if len(place) > 1}:
            values[i] = np.asarray(values[i])
    rules = {place[0]: _rule(name, place[0]) for _, place in inputs}

    def vjp(dys: list[np.ndarray]) -> Iterator[Any]:
        dy = dys if several else dys[0]
        found = {i: rule and rule(dy, y, *values, **kwargs) for i, rule in rules.items()}
        for _, (i, *place) in inputs:
            gradient = found[i]
            for j in place:
                gradient = gradient if gradient is None else gradient[j]
            yield gradient

    node = Node([x for x, _ in inputs], results, vjp)
    made = [Tensor(r, node, i) if r.dtype.kind == "f" else r for i, r in enumerate(results)]
    if not several:
        return made[0]
    return made if type(y) is list else getattr(y, "_make", tuple)(made)


def _name_the_op(error: Exception, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
    """Add to an error, which may be NumPy's, which op was called on what: the innermost one."""
    if not getattr(error, "__notes__", None):
        given = [*map(_described, args), *(f"{key}={_described(x)}" for key, x in kwargs.items())]
        error.add_note(f"Raised by ops.{name}({', '.join(given)}).")


def _described(x: Any) -> str:
    if isinstance(x, (list, tuple)) and len(x) < 8:
        return f"[{', '.join(map(_described, x))}]"
    if isinstance(x, np.ndarray):
        return f"<array of shape {x.shape}, {x.dtype}>"
    text = repr(x)
    return text if len(text) < 40 else f"<{type(x).__name__}>"


def _rule(name: str, position: int) -> Callable | None:
    rule = RULES.get(name)
    if isinstance(rule, Each):
        return functools.partial(rule.rule, position)
    rules = rule if isinstance(rule, tuple) else (rule,)
    if rule is None or position >= len(rules):
        where = "" if rule is None else f" with respect to its argument {position}"
        raise NotImplementedError(
            f"ops.{name} has no gradient{where}: nothing that is trained may pass through it. "
            "`ops.stop_gradient(x)` makes its argument a constant."
        )
    return rules[position]


def _plain(x: Any, place: tuple[int, ...], inputs: list) -> Any:
    """x with arrays for Tensors, which are entered in `inputs` with their place.

    Arrays that can be written to are copied: `mask *= 2`, after it was used, is not to change what
    has been recorded.
    """
    if isinstance(x, Variable):
        x = x.value
    if type(x) is Tensor:
        inputs.append((x, place))
        return x.value
    if type(x) in (list, tuple):
        return type(x)(_plain(item, (*place, i), inputs) for i, item in enumerate(x))
    return x.copy() if isinstance(x, np.ndarray) and x.flags.writeable else x


def _is_traced(x: Any) -> bool:
    if type(x) in (list, tuple):
        return any(_is_traced(item) for item in x)
    return type(x.value if isinstance(x, Variable) else x) is Tensor


@contextmanager
def recording(variables: Sequence[Variable]) -> Iterator[list[Tensor]]:
    """Within it, in this thread, each of the variables is a Tensor wherever an op, an operator or
    `value` takes it; gives those Tensors, in order. Variables of integers stay as they are."""
    leaves = [trace(variable.numpy()) for variable in variables]
    pairs = zip(variables, leaves, strict=True)
    before = recorded_variables.leaves
    recorded_variables.leaves = {
        **before, **{variable: leaf for variable, leaf in pairs if leaf.dtype.kind == "f"}
    }  # fmt: skip
    try:
        yield leaves
    finally:
        recorded_variables.leaves = before


def leaf_of(variable: Variable) -> Tensor | None:
    """The Tensor that stands for a variable in this thread, None if it is not recorded."""
    return recorded_variables.leaves.get(variable)
