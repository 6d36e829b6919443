"""Connected components of more rows than memory holds.

Webster et al. 2023 (arXiv 2303.12733) stop at the pairs of LAION-2B: the components of two billion rows did
not fit. Here rows are eliminated block by block from the highest down, as in the external-memory spanning
forest of Sibeyn (Dementiev, Sanders, Schultes, Sibeyn 2004, "Engineering an External Memory Minimum
Spanning Tree Algorithm", section 3): each pair waits in the bucket of its higher row; a block keeps, for each of
its components, the lowest row outside (below) that it is tied to, and hands every further tie down as a pair
of outside rows. So a pair becomes at most one pair in a lower bucket, and memory is two arrays over a block
whatever the count of rows, of pairs, or of a row's neighbours. A second pass, upwards, tells each row the lowest of its
component. With one block nothing goes to disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from verbatim.dedup.spill import MOST_BUCKETS, Buckets

Pairs = Iterable[tuple[np.ndarray, np.ndarray]]


class Plan(NamedTuple):
    """Rows of a block, and pairs worked on together."""

    block: int
    chunk: int


def plan_blocks(n_rows: int, memory: int) -> Plan:
    """Block and chunk that fit into `memory` bytes: 32 bytes a row of a block, 320 a pair of a chunk."""
    block = max(1024, memory // 2 // 32, -(-n_rows // MOST_BUCKETS))
    return Plan(min(block, max(1, n_rows)), int(np.clip(memory // 2 // 320, 4096, 1 << 22)))


def _roots(parent: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """The root of each node, (n,) int64; paths are shortened. parent : (m,) int64. nodes : (n,) int64."""
    at = parent[nodes]
    while True:
        above = parent[at]
        if np.array_equal(above, at):
            parent[nodes] = at
            return at
        parent[nodes] = above
        at = above


def _unite(parent: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unite the components of each pair under their lowest node; the roots that took part, and their new ones.

    parent : (m,) int64, changed in place. a, b : (n,) int64 nodes. Returns two (k,) int64.
    """
    a, b = _roots(parent, a), _roots(parent, b)
    live = a != b
    a, b = a[live], b[live]
    if len(a) == 0:
        return a, b
    nodes, ends = np.unique(np.concatenate([a, b]), return_inverse=True)
    graph = coo_array(
        (np.ones(len(a), dtype=bool), (ends[: len(a)], ends[len(a) :])),
        shape=(len(nodes), len(nodes)),
    )
    _, label = connected_components(graph, directed=False)
    lowest = np.full(label.max() + 1, np.iinfo(np.int64).max)
    np.minimum.at(lowest, label, nodes)
    parent[nodes] = lowest[label]  # a parent is never above its child
    return nodes, lowest[label]


def _tie(
    below: np.ndarray, root: np.ndarray, outside: np.ndarray, n_rows: int
) -> tuple[np.ndarray, np.ndarray]:
    """Tie components to outside rows: the lowest stays in `below`, the others are returned as pairs with it."""
    before = np.unique(root)
    before = before[below[before] >= 0]
    root = np.concatenate([root, before])
    outside = np.concatenate([outside, below[before]])
    ties = np.unique(root * n_rows + outside)  # less than block * n_rows: far from 2**63
    root, outside = ties // n_rows, ties % n_rows
    first = np.append(True, root[1:] != root[:-1])[: len(root)]
    below[root[first]] = outside[first]
    lowest = below[root]
    return outside[~first], lowest[~first]


def _check(a: np.ndarray, b: np.ndarray, n_rows: int) -> None:
    low, high = min(a.min(), b.min()), max(a.max(), b.max())
    if low < 0 or high >= n_rows:
        raise ValueError(
            f"a pair names row {low if low < 0 else high}, but there are {n_rows} rows: pairs and manifest "
            "are of different runs; run search_pairs again"
        )


def find_clusters(
    pairs: Pairs, n_rows: int, folder: Path, memory: int, plan: Plan | None = None
) -> Iterator[pd.DataFrame]:
    """`clusters` table (row, cluster) in pieces, ascending: rows in a component of two or more.

    A cluster's id is its lowest row. No number depends on the order of the pairs, on how they are cut into
    chunks, or on the memory.

    Parameters
    ----------
    pairs
        Chunks (row_a, row_b) of edges, rows in [0, n_rows), in any order, a pair any number of times.
    n_rows
        Rows in all.
    folder
        For the buckets: 16 bytes a pair, and as much for the ties and rows in clusters.
    memory
        Bytes; what a chunk of `pairs` takes comes on top.
    plan
        Sizes other than `plan_blocks` has for this memory.

    Raises
    ------
    ValueError
        If a pair names a row that is not there.
    """
    block, chunk = plan or plan_blocks(n_rows, memory)
    n_blocks = max(1, -(-n_rows // block))
    with (
        Buckets(folder, "pairs", n_blocks) as waiting,
        Buckets(folder, "members", n_blocks) as members,
        Buckets(folder, "ties", n_blocks) as ties,
        Buckets(folder, "answers", n_blocks) as answers,
    ):

        def hand_down(a: np.ndarray, b: np.ndarray) -> None:
            high = np.maximum(a, b)
            waiting.add(high // block, {"a": high, "b": np.minimum(a, b)})

        def incoming() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            for row_a, row_b in pairs:
                if len(row_a):
                    _check(row_a, row_b, n_rows)
                for at in range(0, len(row_a), chunk):
                    part = slice(at, at + chunk)
                    real = row_a[part] != row_b[part]
                    yield row_a[part][real], row_b[part][real]

        def edges(number: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
            return ((e["a"], e["b"]) for e in waiting.blocks(number, chunk))

        if n_blocks > 1:
            for a, b in incoming():
                hand_down(a, b)
        for number in reversed(range(n_blocks)):
            low, high = number * block, min(n_rows, (number + 1) * block)
            parent = np.arange(high - low, dtype=np.int64)
            below = np.full(high - low if number else 0, -1, dtype=np.int64)
            for a, b in edges(number) if n_blocks > 1 else incoming():
                inside = (a >= low) & (b >= low)
                old, new = _unite(parent, a[inside] - low, b[inside] - low)
                if number:
                    tied = below[old] >= 0
                    root = np.concatenate([_roots(parent, a[~inside] - low), new[tied]])
                    outside = np.concatenate([b[~inside], below[old[tied]]])
                    hand_down(*_tie(below, root, outside, n_rows))
            while True:
                above = parent[parent]
                if np.array_equal(above, parent):
                    break
                parent = above
            for start in range(0, high - low, chunk):
                some = parent[start : start + chunk]
                node = np.arange(start, start + len(some))
                under = some != node
                to = np.full(under.sum(), number)
                members.add(to, {"row": low + node[under], "root": low + some[under]})
                if number:
                    lies = below[start : start + chunk]
                    tied = (lies >= 0) & ~under
                    ties.add(lies[tied] // block, {"row": lies[tied], "root": low + node[tied]})
        for number in range(n_blocks):
            low, high = number * block, min(n_rows, (number + 1) * block)
            cluster = np.arange(low, high)
            inside = np.zeros(high - low, dtype=bool)
            for one in answers.blocks(number, chunk):
                cluster[one["row"] - low] = one["cluster"]
                inside[one["row"] - low] = True
            for one in members.blocks(number, chunk):
                cluster[one["row"] - low] = cluster[one["root"] - low]
                inside[one["row"] - low] = inside[one["root"] - low] = True
            for one in ties.blocks(number, chunk):
                inside[one["row"] - low] = True
                found = cluster[one["row"] - low]
                answers.add(one["root"] // block, {"row": one["root"], "cluster": found})
            for start in range(0, high - low, chunk):
                at = start + np.flatnonzero(inside[start : start + chunk])
                if len(at):
                    yield pd.DataFrame({"row": low + at, "cluster": cluster[at]})
