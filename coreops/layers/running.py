"""Running: a layer as a part of graphs, and as the program that its calls run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import _plan
from .._symbolic import leaves, map_structure, repack
from .state import LayerState


class Running(LayerState):
    """What a layer becomes when it is called: calls in a graph, and a program for one."""

    name: str
    _mask_policy: str | None
    _precision: str | None
    if TYPE_CHECKING:

        def _adapt(self, array: Any) -> Any: ...

    _several = False  # it takes a list of arrays
    _call_arguments: tuple[
        str, ...
    ] = ()  # arrays that a layer without a Python `call` takes by name
    _mask_comes_second = False  # in a call: `layer(x, mask)`
    _wraps_output = False  # what comes out is in a dict, though it be one array
    _output_count = 1  # arrays that a call gives, where no symbolic one told
    _form: Any = 0  # of the inputs of a model: a list or dict of zeros, if they are several
    _attach = staticmethod(_plan.KerasArray.attach)  # of the fast path

    def leaves(self) -> list[Any]:
        """Return the layers that compute when this one is called."""
        return [self]

    def _arranged(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the positional arguments in the form that the layer's computation takes.

        Raises:
            ValueError: several arrays for a layer that takes one.
        """
        if self._python_call or self._several:
            return args
        if len(args) != 1 or isinstance(args[0], (list, tuple, dict)):
            given = args[0] if len(args) == 1 else args
            raise ValueError(
                f"Layer '{self.name}' expects one array. Received: a {type(given).__name__} of "
                f"{len(leaves(given))}"
            )
        return args

    def _adapt_all(self, arrays: Sequence[Any]) -> list[Any]:
        """Bring the input arrays into the form that the leaves take."""
        return [self._adapt(arrays[0]), *arrays[1:]]

    def _packed(self, outputs: list[Any]) -> Any:
        """Return the arrays that come out as a call returns them."""
        return outputs[0] if len(outputs) == 1 else outputs

    def trace(
        self,
        graph: _plan.Graph,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        count: int = 1,
        training: bool | None = None,
    ) -> list[_plan.Ref]:
        """Add what a call is made of to a graph: for most layers, the call.

        Args:
            graph: what is being made.
            args: the arguments, with a Ref for each array.
            kwargs: the keywords, the same.
            count: how many arrays the call gives.
            training: as the layer behaves in any case; None: as the whole graph.

        Returns:
            The arrays that come out.
        """
        if not self._python_call:
            args, kwargs = self._with_mask(graph, args, kwargs)
        return graph.call(self, args, kwargs, count, training)

    def _with_mask(
        self, graph: _plan.Graph, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Attach a mask among the keywords of a call to the array that it is for."""
        if kwargs.get("mask") is None:
            return args, kwargs
        from .masked import given_mask

        kwargs = dict(kwargs)
        (x,) = graph.call(given_mask(), (args[0], kwargs.pop("mask")), {})
        return (x, *args[1:]), kwargs

    def _graph(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _plan.Graph:
        """Return the graph of a call with such arguments; what is in place of the arrays is not
        looked at."""
        graph = _plan.Graph(len(leaves((args, kwargs))))
        args, kwargs = repack((args, kwargs), graph.inputs)
        return graph.end(self.trace(graph, args, kwargs, self._output_count))

    def _program(
        self,
        training: bool,
        observe: bool = True,
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> _plan.Program:
        """Return the compiled form of the layer as it is now, for calls with such arguments; by
        default one that has the form of the data."""
        args = (self._form,) if args is None else args
        parts = self.leaves()
        stamp = [(leaf, leaf._revision, training and leaf._trainable) for leaf in parts]
        key = training, observe, self._likeness(args, kwargs)
        made = self._programs.get(key)
        if made is None or made[0] != stamp:
            for leaf in parts:
                leaf.__dict__["_compiled"] = True
            program = _plan.Program(
                self._graph(args, kwargs or {}),
                training=training,
                observe=observe,
                mask_policy=self._mask_policy,
                precision=self._precision,
            )
            made = self._programs[key] = (stamp, program)
        return made[1]

    def _likeness(self, args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> str:
        """Return the same for arguments that differ in their arrays alone."""
        if len(args) == 1 and not kwargs and not isinstance(args[0], (list, tuple, dict)):
            return ""
        return repr(map_structure(lambda _: 0, (args, kwargs)))
