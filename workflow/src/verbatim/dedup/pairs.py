"""Neighbour pairs: candidates from the index (`exact` does without one), judged by the cosine of the raw vectors.

Webster et al. 2023 (arXiv 2303.12733). An index may be compressed, so its estimates only choose
which raw vectors are read; stored similarities are exact. Pairs are stored from `relatives_threshold` on, although
clusters start at `threshold`. The pairs between are images of one template (the same drawing with one region in
another colour), which the labels need.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from verbatim.dedup.database import Database
from verbatim.io.search import Embeddings, search_rows


class Neighbourhood(NamedTuple):
    """Pairs of some rows, and how many of these rows have near-duplicates only among their neighbours.

    `full`: at k neighbours (these were searched again with more); `cut`: at `most_neighbours` too, so
    that their cluster may be in pieces.
    """

    pairs: pd.DataFrame
    full: int
    cut: int


@dataclass(frozen=True)
class PairSettings:
    """How neighbours become pairs.

    Parameters
    ----------
    k
        Neighbours of a row; of an exact search its relatives that are stored.
    most_neighbours
        A row whose k neighbours are all at or above `threshold` may have more: it is searched again
        with so many. Of these only the lowest row (which ties the group together) and k from below
        the threshold are stored, so that a group of n rows never costs n * n pairs. Of an exact search see
        `exact.ExactSearch`.
    threshold
        Cosine of near-duplicates, which makes clusters.
    relatives_threshold
        Cosine from which on pairs are stored.
    margin
        Candidates are read from disk if their estimate is at least `relatives_threshold - margin`, less what the
        row's estimate of itself is below 1: a compressed vector is shorter than the vector (cf. the adaptive
        threshold of arXiv 2303.12733).
    batch
        Rows searched together; see `search_rows` for what depends on it.
    """

    k: int
    most_neighbours: int
    threshold: float
    relatives_threshold: float
    margin: float
    batch: int

    @property
    def at_least(self) -> float:
        """Lowest cosine of a pair that is used."""
        return min(self.threshold, self.relatives_threshold)


def unique_pairs(a: np.ndarray, b: np.ndarray, similarity: np.ndarray) -> pd.DataFrame:
    """`pairs` table: row_a < row_b, each pair once, sorted; pairs of a row with itself are left out.

    a, b : (n,) int64 rows. similarity : (n,) float32 cosine in [-1, 1]."""
    pairs = pd.DataFrame(
        {"row_a": np.minimum(a, b), "row_b": np.maximum(a, b), "similarity": similarity}
    )
    pairs = pairs[pairs["row_a"] < pairs["row_b"]]
    pairs = pairs.drop_duplicates(["row_a", "row_b"]).sort_values(["row_a", "row_b"])
    return pairs.reset_index(drop=True)


def sort_pairs(pieces: Iterable[pd.DataFrame], folder: Path, memory: int) -> Iterator[pd.DataFrame]:
    """`pairs` table in pieces, by row_a and row_b.

    pieces: `pairs` tables, no pair in two of them. folder: for what does not fit into memory. memory: bytes.
    """
    with Database(folder, memory) as base:
        base.load("pairs", pieces, {"row_a": "int64", "row_b": "int64", "similarity": "float32"})
        yield from base.pieces("select row_a, row_b, similarity from pairs order by row_a, row_b")


def copy_pairs(embeddings: Embeddings, rows: np.ndarray, copies: pd.DataFrame) -> pd.DataFrame:
    """`pairs` table of those of `rows`, (n,) int64, that are copies, each with its first row; copies: `copies` table."""
    mine = copies[copies["row"].isin(rows)]
    a, b = mine["row"].to_numpy(), mine["first"].to_numpy()
    return unique_pairs(a, b, embeddings.cosines(a, b))


def rows_a_pass(dim: int, k: int, batch: int, memory: int) -> int:
    """Rows whose neighbours are sought in one pass over the index, a multiple of `batch` that fits into `memory`.

    Of each row the vector (as float16) and k candidates stay in memory, with room to merge and order them: 60
    bytes a candidate.
    """
    return max(1, memory // (2 * dim + 60 * (k + 1)) // batch) * batch


def _judge(
    index: Any,
    embeddings: Embeddings,
    rows: np.ndarray,
    settings: PairSettings,
) -> tuple[np.ndarray, np.ndarray]:
    """Raw cosine and row (n, settings.k) of the other rows among each row's neighbours, the highest first.

    -inf and -1 where there is none, or where the index holds it to be too far to be read.
    """
    k = settings.k
    # one more than asked for: a row finds itself
    estimate, found = search_rows(index, embeddings.take(rows), k + 1, settings.batch)
    own = found == rows[:, None]
    # a row that doesn't find itself has k nearer to it, or so it seems: then all of these are read
    lost = np.where(own.any(axis=1), np.where(own, 1 - estimate, 0).sum(axis=1), np.inf)
    enough = settings.at_least - np.maximum(0, lost) - settings.margin
    found = np.where((estimate >= enough[:, None]) & ~own, found, -1)
    cosine = np.full(found.shape, -np.inf, dtype=np.float32)
    at, column = np.nonzero(found >= 0)
    cosine[at, column] = embeddings.cosines(rows[at], found[at, column])
    order = np.lexsort((found, -cosine), axis=1)[:, :k]
    return np.take_along_axis(cosine, order, axis=1), np.take_along_axis(found, order, axis=1)


def find_pairs(
    index: Any,
    embeddings: Embeddings,
    rows: np.ndarray,
    copies: pd.DataFrame,
    settings: PairSettings,
    memory: int = 1 << 30,
) -> Neighbourhood:
    """Pairs of rows whose raw vectors have a cosine of at least `settings.relatives_threshold`.

    Parameters
    ----------
    index
        An open index of all rows but the copies.
    embeddings
        The raw vectors of all rows.
    rows
        The rows of one shard that take part.
    copies
        `copies` table of these rows at least: a copy is paired with its first row alone, and with all
        else through it.
    settings
        How they are found and which of them are stored.
    memory
        Bytes of the candidates of one pass over the index; the pairs that are kept come on top.
    """
    k, batch, at_least = settings.k, settings.batch, settings.at_least
    lone = rows[~np.isin(rows, copies["row"].to_numpy())]
    again = copy_pairs(embeddings, rows, copies)
    a, b, cosines = ([again[column].to_numpy()] for column in again.columns)

    def keep(some: np.ndarray, cosine: np.ndarray, found: np.ndarray, wanted: np.ndarray) -> None:
        at, column = np.nonzero(wanted)
        a.append(some[at])
        b.append(found[at, column])
        cosines.append(cosine[at, column])

    full_rows = []
    step = rows_a_pass(embeddings.dim, k, batch, memory)
    for start in range(0, len(lone), step):
        some = lone[start : start + step]
        cosine, found = _judge(index, embeddings, some, settings)
        keep(some, cosine, found, cosine >= at_least)
        full_rows.append(some[(cosine >= settings.threshold).all(axis=1)])
    full = np.concatenate([np.empty(0, np.int64), *full_rows])
    cut = 0
    most = settings.most_neighbours
    # the same memory for more neighbours
    wider = replace(settings, k=most, batch=max(1, batch * k // max(k, most)))
    step = rows_a_pass(embeddings.dim, most, wider.batch, memory)
    for start in range(0, len(full) if most > k else 0, step):
        some = full[start : start + step]
        cosine, found = _judge(index, embeddings, some, wider)
        near = cosine >= settings.threshold
        lowest = np.where(near, found, np.iinfo(np.int64).max).argmin(axis=1)
        wanted = (cosine >= at_least) & ~near
        wanted &= wanted.cumsum(axis=1) <= k
        # no neighbour may be left where the index is compressed: then there is nothing to tie to
        wanted[np.arange(len(some)), lowest] |= near.any(axis=1)
        keep(some, cosine, found, wanted)
        cut += int(near.all(axis=1).sum())
    if most <= k:
        cut = len(full)
    pairs = unique_pairs(np.concatenate(a), np.concatenate(b), np.concatenate(cosines))
    return Neighbourhood(pairs, len(full), cut)
