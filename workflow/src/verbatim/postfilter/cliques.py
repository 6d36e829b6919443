"""The largest group of generations that are all near-copies of each other, found exactly.

Carlini et al. 2023, section 4: a prompt whose graph of near-copies has a clique of 10 is memorized.
The search is Tomita & Seki's branch and bound (MCQ, 2003) on bitsets: vertices that cannot be in a
larger clique than the best are removed first (k-core), and greedy colourings bound the rest.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Clique(NamedTuple):
    """`members`: indices, rising. `bound`: no clique is larger; equal to the size where exact."""

    members: np.ndarray
    bound: int

    @property
    def exact(self) -> bool:
        return len(self.members) == self.bound


def k_core(adjacency: np.ndarray, k: int) -> np.ndarray:
    """The vertices of the k-core, which have at least `k` neighbours in it; (n,) bool.

    Every clique of k + 1 vertices lies in the k-core. adjacency : (n, n) bool.
    """
    alive = np.ones(len(adjacency), dtype=bool)
    while alive.any():
        degrees = adjacency[:, alive].sum(axis=1)
        weak = alive & (degrees < k)
        if not weak.any():
            break
        alive &= ~weak
    return alive


def search_clique(adjacency: np.ndarray, max_nodes: int | None = None) -> Clique:
    """A largest clique, or, after `max_nodes` branches, the best so far and an upper bound.

    The limit counts branches, not seconds, so that every machine gives the same answer. Of several
    largest cliques the first in the search's fixed order is returned (vertices peeled last
    come first, ties by index).

    adjacency : (n, n) bool, symmetric; the diagonal is ignored.

    Raises
    ------
    ValueError : the matrix is not square or not symmetric.
    """
    graph = np.array(adjacency, dtype=bool)
    if graph.ndim != 2 or graph.shape[0] != graph.shape[1] or (graph != graph.T).any():
        raise ValueError(
            f"an adjacency matrix must be square and symmetric; this one, {graph.shape}, is not"
        )
    np.fill_diagonal(graph, False)
    if len(graph) == 0:
        return Clique(np.zeros(0, dtype=np.int64), 0)
    best = _greedy(graph)
    kept = np.flatnonzero(k_core(graph, len(best)))  # where a clique of len(best) + 1 must lie
    if len(kept) <= len(best):
        return Clique(np.sort(best), len(best))
    inner = graph[np.ix_(kept, kept)]
    order = _peeling_order(inner)[::-1]
    inner = inner[np.ix_(order, order)]
    found, bound = _branch_and_bound(_bitsets(inner), len(best), max_nodes)
    if found:
        best = kept[order[found]]
    return Clique(np.sort(best), max(bound, len(best)))


def clique_distance(distances: np.ndarray, members: np.ndarray) -> float:
    """Mean distance of the pairs inside a clique (Carlini et al. 2023: what prompts are sorted by).

    distances : (n, n), in [0, 1]. members : (m,) indices. NaN for a clique of fewer than two.
    """
    if len(members) < 2:
        return float("nan")
    inside = distances[np.ix_(members, members)]
    return float(inside[np.triu_indices(len(members), 1)].mean())


def _peeling_order(graph: np.ndarray) -> np.ndarray:
    """Vertices (n,) in peeling order: each removal takes one with the fewest remaining neighbours. graph : (n, n) bool."""
    degrees = graph.sum(axis=1).astype(np.int64)
    order = np.empty(len(graph), dtype=np.int64)
    for i in range(len(graph)):
        vertex = int(np.argmin(degrees))  # the first of equals: the lowest index
        order[i] = vertex
        degrees -= graph[vertex]
        degrees[vertex] = len(graph) * 2  # never again the fewest
    return order


def _greedy(graph: np.ndarray) -> np.ndarray:
    """A first clique, (m,) indices: vertices of falling degree that fit those before. graph : (n, n) bool."""
    possible = np.ones(len(graph), dtype=bool)
    members: list[int] = []
    while possible.any():
        degrees = np.where(possible, (graph & possible).sum(axis=1), -1)
        vertex = int(np.argmax(degrees))
        members.append(vertex)
        possible &= graph[vertex]
    return np.array(members, dtype=np.int64)


def _bitsets(graph: np.ndarray) -> list[int]:
    packed = np.packbits(graph, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


def _colour(candidates: int, neighbours: list[int]) -> tuple[list[int], list[int]]:
    """Candidates class by class of a greedy colouring, and for each the number of classes so far.

    The first i of them hold no clique larger than the i-th number.
    """
    order: list[int] = []
    bounds: list[int] = []
    colour = 0
    while candidates:
        colour += 1
        free = candidates
        while free:
            bit = free & -free
            vertex = bit.bit_length() - 1
            free &= ~(neighbours[vertex] | bit)
            candidates ^= bit
            order.append(vertex)
            bounds.append(colour)
    return order, bounds


def _branch_and_bound(
    neighbours: list[int], floor: int, max_nodes: int | None
) -> tuple[list[int], int]:
    """A largest clique of more than `floor` vertices, or [], and an upper bound on any clique.

    Its own stack: a clique may be larger than Python's recursion is deep.
    """
    best: list[int] = []
    size = floor
    everyone = (1 << len(neighbours)) - 1
    stack = [(everyone, *_colour(everyone, neighbours))]
    chosen: list[int] = []
    nodes = 0
    while stack:
        candidates, order, bounds = stack[-1]
        if not order or len(stack) - 1 + bounds[-1] <= size:
            stack.pop()
            if chosen:
                chosen.pop()
            continue
        if max_nodes is not None and nodes >= max_nodes:
            # whatever is still open: each level's own bound, with those chosen above it
            return best, max(size, *(i + b[-1] for i, (_, _, b) in enumerate(stack) if b))
        nodes += 1
        vertex = order.pop()
        bounds.pop()
        stack[-1] = (candidates & ~(1 << vertex), order, bounds)
        chosen.append(vertex)
        if len(chosen) > size:
            size, best = len(chosen), list(chosen)
        inner = candidates & neighbours[vertex]
        stack.append((inner, *_colour(inner, neighbours)))
    return best, size
