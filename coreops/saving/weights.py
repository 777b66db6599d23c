"""Weights as Keras stores them: HDF5 groups `<object>/vars` with datasets "0", "1", ..."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Set
from contextlib import contextmanager
from typing import Any

import numpy as np

from .._warnings import warn
from .errors import ModelFileError, shorten
from .hdf5 import Stored, damage, open_tree
from .paths import loads_itself, walk

_EARLY = "_layer_checkpoint_dependencies/"  # what Keras 2.12 called the list of layers


class Pool:
    """The shapes of stored variables for which layers that are being built may create weights."""

    def __init__(self, shapes: Iterable[tuple[int, ...]]) -> None:
        self.left = Counter(shapes)

    def take(self, shape: tuple[int, ...]) -> bool:
        """Whether there is a variable of the shape that is not yet taken; it is now."""
        present = self.left[shape] > 0
        self.left[shape] -= present
        return present

    def __str__(self) -> str:
        shapes = list(self.left.elements()) if self.left.total() < 10 else list(self.left)[:10]
        return shorten(shapes, 200)


class Groups(dict[str, list[Stored]]):
    """Path of an object, "layers/dense_1", to its variables in order.

    named: what layers have stored under names of their own, path by path.
    """

    def __init__(self, found: Iterable[tuple[str, list[Stored]]]) -> None:
        super().__init__(found)
        self.named: dict[str, dict[str, Stored]] = {}

    def store(self, path: str) -> dict[str, Stored]:
        """Return all that is stored of the layer with a path, by name."""
        numbered = {str(i): stored for i, stored in enumerate(self.get(path, []))}
        return {**numbered, **self.named.get(path, {})}

    @property
    def optimizer(self) -> list[Stored]:
        """The state of the model's optimizer."""
        return self.get("optimizer", [])

    def pool(self, path: str) -> Pool:
        """Return what the layer with a path may create."""
        return Pool(variable.shape for variable in self.store(path).values())

    def fill(self, model: Any, what: str) -> None:
        """Put the variables into a built model."""
        fill(model, self, what)


@contextmanager
def open_weights(data: bytes, what: str) -> Iterator[Groups]:
    """Open an HDF5 file of weights held in memory; its variables can be read inside the `with`
    block. The arguments and errors are those of `hdf5.open_tree`."""
    with open_tree(data, what) as tree:
        with damage(what):
            groups = grouped(tree.datasets)
        yield groups


def grouped(datasets: dict[str, Stored]) -> Groups:
    """Return the variables of every object, in the order of their numbers.

    Raises:
        ModelFileError: the variables of an object are not numbered 0, 1, 2, ...
    """
    found: dict[str, dict[int, Stored]] = {}
    named: dict[str, dict[str, Stored]] = {}
    for path, stored in datasets.items():
        owner, _, name = path.replace(_EARLY, "layers/").rpartition("/")
        if owner != "vars" and not owner.endswith("/vars"):
            continue
        owner = owner.removesuffix("vars").removesuffix("/")
        if name.isascii() and name.isdigit() and len(name) < 7:
            found.setdefault(owner, {})[int(name)] = stored
        else:
            named.setdefault(owner, {})[name] = stored
    groups = Groups((path, _in_order(path, numbered)) for path, numbered in found.items())
    groups.named.update(named)
    return groups


def _in_order(path: str, numbered: dict[int, Stored]) -> list[Stored]:
    if sorted(numbered) != list(range(len(numbered))):
        raise ModelFileError(f"{shorten(path)}/vars is not numbered 0, 1, 2, ...")
    return [numbered[number] for number in range(len(numbered))]


# --- weights into a model ---------------------------------------------------------------------


def _other_kind(variable: Any, stored: Stored) -> bool:
    """Whether one of them holds quantized weights and the other does not."""
    return (variable.dtype == "int8") != (stored.dtype == np.int8)


def adopt(
    fitting: Iterable[tuple[Any, Stored]], problems: list[str], what: str, skip_mismatch: bool
) -> None:
    """Put stored values into their variables, unless there are problems: one error lists these, or
    with `skip_mismatch` a warning."""
    if problems:
        message = f"{what}: the weights do not fit the model:\n  " + "\n  ".join(problems)
        if not skip_mismatch:
            raise ModelFileError(message)
        warn(message)
    for variable, values in fitting:
        variable.adopt(values.read())


def fill(
    model: Any,
    groups: Groups,
    what: str,
    *,
    skip_mismatch: bool = False,
    skipped: Set[int] = frozenset(),
) -> None:
    """Put stored variables into a built model; nothing is changed unless everything fits.

    Args:
        model: the model.
        groups: the stored variables.
        what: names the source in messages.
        skip_mismatch: leave out, with a warning, the layers whose variables do not fit.
        skipped: the `id` of layers that stay as they are, whatever is stored.

    Raises:
        ModelFileError: one message with every layer whose variables are missing, superfluous or of
            another shape.
    """
    fitting: list[tuple[Any, Stored]] = []
    by_themselves: list[tuple[Any, str]] = []
    problems = []
    places = list(walk(model))
    tops = {"layers", *(path.partition("/")[0] for path, _ in places if path)}
    unused = {path for path, stored in groups.items() if stored and path.partition("/")[0] in tops}
    for path, layer in places:
        unused.discard(path)
        if id(layer) in skipped:
            continue
        if layer.built and loads_itself(layer):
            by_themselves.append((layer, path))
            continue
        variables = layer._stored_variables
        stored = groups.get(path, [])
        wanted, got = [tuple(v.shape) for v in variables], [s.shape for s in stored]
        mixed = any(map(_other_kind, variables, stored))
        if wanted == got and not mixed:
            fitting += zip(variables, stored, strict=True)
        elif not layer.built:
            problems.append(f"layer {layer.name!r} is not built, the file has {got}")
        elif wanted == got:  # an int8 kernel and its scale, or a kernel of reals and its bias
            types = [str(s.dtype) for s in stored]
            problems.append(
                f"layer {layer.name!r} has variables of {[v.dtype for v in variables]}, the file "
                f"of {types} ({path})"
            )
        else:
            problems.append(f"layer {layer.name!r} has variables {wanted}, the file {got} ({path})")
    problems += [
        f"the file has {path!r} with {[s.shape for s in groups[path]]}, the model has no such layer"
        for path in sorted(unused)
        # The states of Keras' random generators, and of optimizers of models inside this one.
        if not path.endswith(("seed_generator", "/optimizer"))
    ]
    adopt(fitting, problems, what, skip_mismatch)
    for layer, path in by_themselves:
        layer.load_own_variables({name: one.read() for name, one in groups.store(path).items()})
