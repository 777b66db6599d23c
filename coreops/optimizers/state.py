"""The variables of an optimizer: how they are made, named, saved and loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import _kernels, config, initializers
from .._names import auto_name
from .._variables import Variable
from .._warnings import warn


class OptimizerState:
    """The part of an optimizer that keeps its variables."""

    name: str
    use_ema: bool
    gradient_accumulation_steps: int | None
    _variables: list[Variable]
    _made: _kernels.Rule | None

    def _start(self, name: str) -> None:
        """Make the optimizer a holder of variables, before it is anything else."""
        object.__setattr__(self, "_variables", [])
        self.name = name
        self.built = False
        self._trainable_variables: list[Variable] = []
        self._indices: dict[Variable, int] = {}
        self._slot_lists: list[list[Variable]] = []
        self._averages: list[Variable] = []
        self._gathered: list[Variable] = []
        self._iterations = self.add_variable((), dtype="int32", name="iteration")

    def __setattr__(self, name: str, value: Any) -> None:
        if "_variables" not in self.__dict__:
            raise RuntimeError(
                f"In optimizer '{type(self).__name__}', you forgot to call `super().__init__()` "
                "as the first statement in the `__init__()` method."
            )
        if isinstance(value, Variable):
            self._track(value)
        object.__setattr__(self, name, value)
        if name != "learning_rate":
            object.__setattr__(self, "_made", None)  # the rule is made of the attributes

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_made": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    @property
    def variables(self) -> list[Variable]:
        """The optimizer's variables, in the order of files."""
        return self._variables[:]

    @property
    def iterations(self) -> Any:
        """How many updates were made: a Variable, or with accumulation an array."""
        if self.gradient_accumulation_steps:
            return self._iterations.value // self.gradient_accumulation_steps
        return self._iterations

    def _track(self, variable: Variable) -> None:
        if not any(known is variable for known in self._variables):
            self._variables.append(variable)

    def add_variable(
        self,
        shape: Sequence[int],
        initializer: Any = "zeros",
        dtype: str | None = None,
        aggregation: str | None = "none",
        layout: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Return a new variable of the optimizer; `aggregation` and `layout` have no effect."""
        name = auto_name("variable") if name is None else name
        variable = Variable(
            initializers.get(initializer),
            shape=tuple(shape),
            dtype=dtype or config.compute_floatx(),
            trainable=False,
            name=name,
            path=f"{self.name}/{name}",
        )
        self._track(variable)
        return variable

    def add_variable_from_reference(
        self, reference_variable: Variable, name: str | None = None, initializer: Any = "zeros"
    ) -> Variable:
        """Return a new variable of a weight's shape and dtype, "<the weight's path>_<name>"."""
        return self.add_variable(
            reference_variable.shape,
            initializer,
            reference_variable.dtype,
            name=f"{reference_variable.path.replace('/', '_')}_{name or 'var'}",
        )

    def add_optimizer_variables(
        self, trainable_variables: Iterable[Variable], name: Any, initializer: Any = "zeros"
    ) -> Any:
        """Return a list of one new variable for each weight; for several names, a tuple of lists,
        which are made weight by weight."""
        if isinstance(name, str):
            return self.add_optimizer_variables(trainable_variables, [name], [initializer])[0]
        several = isinstance(initializer, (list, tuple))
        starts = initializer if several else [initializer] * len(name)
        if len(starts) != len(name):
            raise ValueError(
                "The number of provided names must match the number of provided initializers. "
                f"Received name={name!r}, initializer={initializer!r}"
            )
        lists: tuple[list[Variable], ...] = tuple([] for _ in name)
        for variable in trainable_variables:
            for made, word, start in zip(lists, name, starts, strict=True):
                made.append(self.add_variable_from_reference(variable, word, start))
        return lists

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the variables that a step over these weights needs."""
        if self.built:
            return
        if self.use_ema:
            self._averages = self.add_optimizer_variables(variables, "average")
        self._trainable_variables = list(variables)
        self._indices = {variable: i for i, variable in enumerate(variables)}
        if self.gradient_accumulation_steps:
            self._gathered = self.add_optimizer_variables(variables, "gradient_accumulator")
        for names in self._slot_names():
            starts = [initializers.Constant(start) for start in names.values()]
            self._slot_lists += self.add_optimizer_variables(variables, list(names), starts)
        self.built = True

    def _must_know(self, variables: Iterable[Variable]) -> None:
        """Check that these are among the weights that the optimizer was built for.

        Raises:
            ValueError: one of them is not.
        """
        for variable in variables:
            self._get_variable_index(variable)

    def _get_variable_index(self, variable: Variable) -> int:
        """Return a weight's place among those that the optimizer was built with.

        Raises:
            ValueError: it is none of them.
        """
        index = self._indices.get(variable)
        if index is None:
            raise ValueError(
                f"Unknown variable: {variable}. This optimizer can only be called for the "
                "variables it was originally built with. When working with a new set of "
                "variables, you should recreate a new optimizer instance: compile the model again."
            )
        return index

    def _slot_names(self) -> Sequence[Mapping[str, float]]:
        """Return the names of a weight's slots and their initial values, in the order of the
        kernel's slots; those of one group are made weight by weight."""
        return ()

    def _slots(self, variable: Variable) -> list[Variable]:
        """Return the variables that `_rule` changes beside the weight, in the kernel's order."""
        i = self._get_variable_index(variable)
        return [
            made[i]
            for made in (
                *self._slot_lists,
                self._gathered,
                self._averages,
            )
            if made
        ]

    def _advance(self, steps: int) -> None:
        """Say that so many steps have been made in all."""
        self._iterations.assign(steps)
        self._follow(steps)

    def _follow(self, steps: int) -> None:
        """Bring what hangs on the number of steps up to date."""

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set the values of all variables.

        Raises:
            ValueError: before `build`, or if a shape differs.
        """
        if not self.built:
            raise ValueError(
                "You are calling `set_weights()` on an optimizer that has not yet been built. "
                "Call `optimizer.build(trainable_variables)` first."
            )
        for variable, weight in zip(self._variables, weights, strict=False):
            variable.assign(weight)

    def save_own_variables(self, store: Any) -> None:
        """Write the values of the variables into a mapping, under "0", "1", ..."""
        for i, variable in enumerate(self._variables):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Read what `save_own_variables` wrote; with a warning, nothing if it does not fit."""
        if len(store.keys()) != len(self._variables):
            unbuilt = "" if self.built else " The optimizer has not been built yet."
            warn(
                f"Skipping variable loading for optimizer '{self.name}', because it has "
                f"{len(self._variables)} variables whereas the saved optimizer has "
                f"{len(store.keys())} variables.{unbuilt}"
            )
            return
        for i, variable in enumerate(self._variables):
            variable.assign(np.asarray(store[str(i)]))
