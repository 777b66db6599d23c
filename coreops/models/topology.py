"""The calls between symbolic tensors, in the orders in which Keras has them and in which they
run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from .._symbolic import KerasTensor, Node


class Topology(NamedTuple):
    """What lies between inputs and outputs. nodes: the calls, each after those whose results it
    takes, inputs' too. layers: in Keras' order. depths: of the calls, as Keras counts them."""

    nodes: list[Node]
    layers: list[Any]
    depths: dict[Node, int]


def explore(inputs: Sequence[KerasTensor], outputs: Sequence[KerasTensor]) -> Topology:
    """Return what lies between symbolic inputs and outputs.

    Raises:
        ValueError: an output does not come from the inputs alone, or two layers have one name.
    """
    nodes, seen = _nodes_between(inputs, outputs)
    depths, of_layers = _depths(nodes)
    for tensor in inputs:  # one that nothing is made of
        node = tensor.node
        if node is not None and id(node.layer) not in of_layers and not node.inputs:
            of_layers[id(node.layer)], seen[id(node.layer)] = (node.layer, 0), -1
            depths[node] = 0
            nodes.insert(0, node)
    _check_connected(inputs, nodes)
    order = sorted(of_layers.values(), key=lambda item: (-item[1], seen[id(item[0])]))
    layers = [layer for layer, _ in order]
    names = [layer.name for layer in layers]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            raise ValueError(
                f"The name '{name}' is used {names.count(name)} times in the model: all names of "
                "layers must differ."
            )
    return Topology(nodes, layers, depths)


def _nodes_between(
    inputs: Iterable[KerasTensor], outputs: Iterable[KerasTensor]
) -> tuple[list[Node], dict[int, int]]:
    """Return the calls, deepest first in the order of their arguments; and for each layer, by id,
    when it was met."""
    given = {id(tensor) for tensor in inputs}
    order: list[Node] = []
    met: dict[int, int] = {}
    done: set[int] = set()

    def enter(tensor: KerasTensor) -> Any:
        """A call that is to be looked at, with its arguments; None if it is outside or known."""
        node = tensor.node
        if node is None:
            if id(tensor) not in given:
                raise ValueError(f"Graph disconnected: {tensor!r} comes from no layer or Input.")
            return None
        if id(node) in done or (node.inputs and id(tensor) in given):
            return None
        done.add(id(node))
        met.setdefault(id(node.layer), len(met))
        return node, iter(node.inputs)

    for output in outputs:
        stack = [entry] if (entry := enter(output)) else []
        while stack:
            node, arguments = stack[-1]
            for tensor in arguments:
                if entry := enter(tensor):
                    stack.append(entry)
                    break
            else:
                order.append(node)
                stack.pop()
    return order, met


def _depths(nodes: list[Node]) -> tuple[dict[Node, int], dict[int, tuple[Any, int]]]:
    """Return how many calls lie between each and the end, at most; for layers, by id, the most of
    their calls."""
    depths: dict[Node, int] = {}
    of_layers: dict[int, tuple[Any, int]] = {}
    known = set(map(id, nodes))
    for node in reversed(nodes):
        depth = max(depths.get(node, 0), of_layers.get(id(node.layer), (None, 0))[1])
        of_layers[id(node.layer)] = node.layer, depth
        depths[node] = depth
        for tensor in node.inputs:
            before = tensor.node
            if before is not None and id(before) in known:
                depths[before] = max(depth + 1, depths.get(before, 0))
    return depths, of_layers


def _check_connected(inputs: Iterable[KerasTensor], nodes: list[Node]) -> None:
    there = {id(tensor) for tensor in inputs}
    passed: list[str] = []
    for node in nodes:
        for tensor in node.inputs or node.outputs:
            if id(tensor) not in there:
                raise ValueError(
                    f"Graph disconnected: cannot find the parent of {tensor!r} at layer "
                    f"'{node.layer.name}': it does not come from the model's inputs. Layers that "
                    f"were reached: {passed}"
                )
        there.update(map(id, node.outputs))
        passed.append(node.layer.name)
