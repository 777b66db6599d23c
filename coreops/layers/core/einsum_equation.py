"""What an einsum equation of a layer says: sizes of weights, and whether it is a matrix product."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_FORMS = (  # the input, the kernel and the output; "..." before or behind the letters, or neither
    (re.compile(r"([a-zA-Z]+),([a-zA-Z]+)->([a-zA-Z]+)"), ""),
    (re.compile(r"\.\.\.([a-zA-Z]+),([a-zA-Z]+)->\.\.\.([a-zA-Z]+)"), "left"),
    (re.compile(r"([a-zA-Z]{2,})\.\.\.,([a-zA-Z]+)->([a-zA-Z]+)\.\.\."), "right"),
)


class Sizes(NamedTuple):
    """Shapes that follow from an input's; the output's with the batch axis."""

    kernel: tuple[int | None, ...]
    bias: tuple[int | None, ...] | None
    output: tuple[int | None, ...]


class Product(NamedTuple):
    """The equation as a matrix product: axes of the input that stay and that are summed over, the
    order of the kernel's, those first, and where the output's axes, without the batch, come from
    among the input's that stay and the kernel's that do."""

    free: list[int]
    contracted: list[int]
    kernel: list[int]
    result: list[int]


class Equation:
    """An equation of two operands. name: of the layer, for ValueErrors."""

    def __init__(self, equation: str, bias_axes: str | None, name: str) -> None:
        self._text, self._bias, self._name = equation, bias_axes, name
        for form, elided in _FORMS:
            match = form.fullmatch(equation) if isinstance(equation, str) else None
            if match is not None:
                self._input, self._kernel, self._output = match.groups()
                self._elided = elided
                return
        raise ValueError(
            f"Layer '{name}': an equation is of the form X,Y->Z, ...X,Y->...Z or X...,Y->Z.... "
            f"Received: {equation!r}"
        )

    def _fail(self, what: str) -> ValueError:
        return ValueError(f"Layer '{self._name}', equation {self._text!r}: {what}")

    def _at(self, letters: str, more: int) -> dict[str, int]:
        """The axis of each letter, with so many that are elided."""
        return {letter: i + (more if self._elided == "left" else 0) for i, letter in
                enumerate(letters)}  # fmt: skip

    def sizes(self, shape: tuple[int | None, ...], partial: tuple[int | None, ...]) -> Sizes:
        """The shapes for an input of that shape. partial: the output's, as the layer takes it."""
        more = len(shape) - len(self._input)
        if more < 0 or (more and not self._elided):
            raise self._fail(f"received an input of shape {shape}")
        if self._elided == "left":
            output = [shape[0], *shape[1:more], *partial]
        else:
            output = [shape[0], *partial, *shape[len(shape) - more :]]
        inputs, outputs = self._at(self._input, more), self._at(self._output, more)
        if len(output) != len(self._output) + more:
            raise self._fail(f"an output of shape {tuple(output)} has not its axes")
        for letter, axis in inputs.items():
            size = output[outputs[letter]] if letter in outputs else None
            if size is not None and size != shape[axis]:
                raise self._fail(
                    f"'{letter}' is {shape[axis]} in the input and {size} in the output"
                )
            if letter in outputs:
                output[outputs[letter]] = shape[axis] if size is None else size
        missing = [c for c in self._output if c not in self._input and c not in self._kernel]
        if missing:
            raise self._fail(f"'{missing[0]}' is neither in the input nor in the kernel")
        kernel: list[int | None] = []
        for letter in self._kernel:
            if letter in outputs:
                kernel.append(output[outputs[letter]])
            elif letter in inputs:
                kernel.append(shape[inputs[letter]])
            else:
                raise self._fail(f"'{letter}' is neither in the input nor in the output")
        return Sizes(tuple(kernel), self._bias_shape(output, outputs, more), tuple(output))

    def _bias_shape(
        self, output: list[int | None], outputs: dict[str, int], more: int
    ) -> tuple[int | None, ...] | None:
        if self._bias is None:
            return None
        for letter in self._bias:
            if letter not in self._output:
                raise self._fail(f"the bias has '{letter}', and the output has not")
        first = min(self._output.index(letter) for letter in self._bias)
        shape = [output[outputs[c]] if c in self._bias else 1 for c in self._output[first:]]
        return (*shape, *(1,) * (0 if self._elided == "left" else more))

    def fan_axes(self) -> tuple[list[int], list[int]]:
        """The kernel's axes that are summed over, and those that are in the output."""
        outputs = [i for i, letter in enumerate(self._kernel) if letter in self._output]
        return [i for i in range(len(self._kernel)) if i not in outputs], outputs

    def contracted_sizes(self, rank: int, kernel: tuple[int, ...]) -> Iterator[tuple[int, int]]:
        """The axes of an input that the kernel has too, with their sizes there."""
        inputs = self._at(self._input, rank - len(self._input))
        for letter, size in zip(self._kernel, kernel, strict=True):
            if letter in inputs:
                yield inputs[letter], size

    def as_product(self, rank: int) -> Product | None:
        """The equation for inputs of that rank, batch axis included, as a matrix product; None if
        it is none: letters that all three have, or one twice, or a sum over the batch."""
        more = rank - len(self._input)
        letters = (self._input, self._kernel, self._output)
        if any(len(set(one)) != len(one) for one in letters):
            return None
        inputs, outputs = self._at(self._input, more), self._at(self._output, more)
        both = [c for c in self._kernel if c in inputs]
        if not both or any(c in outputs for c in both):
            return None
        if set(inputs) - set(both) - set(outputs):
            return None
        contracted = [inputs[c] for c in both]
        made = [c for c in self._kernel if c not in inputs]
        free = [axis for axis in range(rank) if axis not in contracted]
        if 0 not in free or (more == 0 and outputs.get(self._input[0]) != 0):
            return None
        kernel = [self._kernel.index(c) for c in (*both, *made)]
        # Where each axis of the output comes from; elided ones are in the input at the same place
        # from the left, or from the right.
        source: dict[int, int] = {outputs[c]: free.index(inputs[c]) for c in inputs if c in outputs}
        source.update({outputs[c]: len(free) + i for i, c in enumerate(made)})
        width = len(self._output) + more
        for i in range(more):
            axis, of = (i, i) if self._elided == "left" else (width - 1 - i, rank - 1 - i)
            source[axis] = free.index(of)
        order = [source[axis] for axis in range(width)]
        if order[0] != 0:
            return None
        return Product(free[1:], contracted, kernel, [i - 1 for i in order[1:]])
