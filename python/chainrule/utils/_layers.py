"""Placing a directed graph in layers, so that every arrow runs down (Sugiyama et al., 1981).

Four steps: a layer for each node by its longest way to a sink; invisible nodes where an arrow
crosses a layer; an order within the layers with few crossings; positions that pull neighbours
together.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

__all__ = ["Layout", "place"]

_SWEEPS = 12  # down and up, each for order and for positions

Edge = tuple[int, int]


class Layout(NamedTuple):
    """Where nodes and arrows are.

    Attributes:
        x: the centre of each node.
        layer: the layer of each node, 0 at the top.
        paths: of each arrow, the ``(x, layer)`` it passes through, from tail to head.
    """

    x: list[float]
    layer: list[int]
    paths: list[list[tuple[float, int]]]


def place(widths: Sequence[float], edges: Sequence[Edge], gap: float) -> Layout:
    """Place nodes of these widths and arrows between them; the graph has no cycles.

    Args:
        widths: of the nodes.
        edges: pairs (tail, head) of node numbers; heads come below tails.
        gap: the least distance between neighbours of a layer.
    """
    layer = _layers(len(widths), edges)
    sizes = [*widths]
    chains = []  # of each edge, all nodes on its way
    for tail, head in edges:
        chain = [tail]
        for level in range(layer[tail] + 1, layer[head]):
            chain.append(len(layer))
            layer.append(level)
            sizes.append(0.0)
        chains.append([*chain, head])
    above: list[list[int]] = [[] for _ in layer]
    below: list[list[int]] = [[] for _ in layer]
    for chain in chains:
        for tail, head in pairwise(chain):
            below[tail].append(head)
            above[head].append(tail)
    rows: list[list[int]] = [[] for _ in range(max(layer, default=-1) + 1)]
    for node, level in enumerate(layer):
        rows[level].append(node)
    rows = _order(rows, above, below)
    x = _positions(rows, above, below, sizes, gap)
    paths = [[(x[node], layer[node]) for node in chain] for chain in chains]
    return Layout(x[: len(widths)], layer[: len(widths)], paths)


def _layers(count: int, edges: Sequence[Edge]) -> list[int]:
    """Give each node its longest way to a sink, so that it stands right above what needs it."""
    tails: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count  # heads not yet placed
    for tail, head in edges:
        tails[head].append(tail)
        waiting[tail] += 1
    height = [0] * count
    ready = [node for node in range(count) if not waiting[node]]
    for head in ready:
        for tail in tails[head]:
            height[tail] = max(height[tail], height[head] + 1)
            waiting[tail] -= 1
            if not waiting[tail]:
                ready.append(tail)
    top = max(height, default=0)
    return [top - h for h in height]


def _order(
    rows: list[list[int]], above: list[list[int]], below: list[list[int]]
) -> list[list[int]]:
    """Sort each layer by the mean place of its neighbours, down and up; keep the best."""
    best, fewest = [row[:] for row in rows], _crossings(rows, below)
    place_of = [0] * len(above)
    for row in rows:
        for i, node in enumerate(row):
            place_of[node] = i
    for sweep in range(_SWEEPS):
        neighbours = below if sweep % 2 else above
        for row in reversed(rows) if sweep % 2 else rows:
            keys = {
                node: sum(place_of[n] for n in near) / len(near) if near else place_of[node]
                for node in row
                for near in [neighbours[node]]
            }
            row.sort(key=keys.__getitem__)
            for i, node in enumerate(row):
                place_of[node] = i
        crossings = _crossings(rows, below)
        if crossings < fewest:
            best, fewest = [row[:] for row in rows], crossings
        if not fewest:
            break
    return best


def _crossings(rows: list[list[int]], below: list[list[int]]) -> int:
    count = 0
    for upper, lower in pairwise(rows):
        place_of = {node: i for i, node in enumerate(lower)}
        ends: list[int] = []  # of the edges further left, sorted
        for node in upper:
            heads = sorted(place_of[head] for head in below[node])
            count += sum(len(ends) - bisect_right(ends, head) for head in heads)
            for head in heads:
                insort(ends, head)
    return count


def _positions(
    rows: list[list[int]],
    above: list[list[int]],
    below: list[list[int]],
    sizes: list[float],
    gap: float,
) -> list[float]:
    """Move each layer as near to its neighbours' mean as its order and the gaps allow."""
    x = [0.0] * len(sizes)
    offsets = []  # of each layer: where its nodes stand when pushed together
    for row in rows:
        offset, right = [], 0.0
        for node in row:
            offset.append(right + sizes[node] / 2)
            right += sizes[node] + gap
        offsets.append(offset)
        for node, start in zip(row, offset, strict=True):
            x[node] = start - (right - gap) / 2
    for sweep in range(2 * _SWEEPS + 1):  # the last one centres calls below what they read
        order = list(zip(rows, offsets, strict=True))
        for row, offset in reversed(order) if sweep % 2 else order:
            wished = []
            for node, start in zip(row, offset, strict=True):
                near = (below if sweep % 2 else above)[node] or [node]
                wished.append(sum(x[n] for n in near) / len(near) - start)
            for node, start, shift in zip(row, offset, _monotone(wished), strict=True):
                x[node] = start + shift
    return x


def _monotone(values: list[float]) -> list[float]:
    """The nearest non-decreasing sequence, by pooling adjacent violators (Ayer et al., 1955)."""
    blocks: list[tuple[float, int]] = []  # sum and length
    for value in values:
        total, count = value, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / count:
            left, size = blocks.pop()
            total, count = total + left, count + size
        blocks.append((total, count))
    return [total / count for total, count in blocks for _ in range(count)]
