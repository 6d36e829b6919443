"""Pairs that an exact search holds until it has seen all that one of their rows is compared with.

Products are estimates with a known error. They decide which pairs may matter; what is stored is decided by the cosine of
the raw vectors alone. Near-duplicates leave as soon as they are judged, so that only relatives stay in memory: of each
row as many as are stored.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree

from verbatim.dedup.pairs import PairSettings, unique_pairs
from verbatim.io.search import Embeddings


class Held(NamedTuple):
    """Pairs: `a` the number of the compared row, `b` the other row, both int64 (n,); `estimate` float32 (n,)."""

    a: np.ndarray
    b: np.ndarray
    estimate: np.ndarray

    def pick(self, which: np.ndarray) -> Held:
        """Those of a mask, or of positions."""
        return Held(self.a[which], self.b[which], self.estimate[which])


def spanning_forest(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Positions of pairs that alone tie the same components as all: at most one fewer than there are rows.

    a, b : (n,) int64 rows, no pair twice. Returns (m,) int64.
    """
    if len(a) == 0:
        return np.empty(0, np.int64)
    nodes, ends = np.unique(np.concatenate([a, b]), return_inverse=True)
    # the weight of a pair is its position, from 1: a stored 0 would be no pair
    weights = np.arange(1, len(a) + 1)
    graph = coo_array((weights, (ends[: len(a)], ends[len(a) :])), shape=(len(nodes),) * 2)
    return np.sort(minimum_spanning_tree(graph.tocsr()).data.astype(np.int64)) - 1


def ranks(pairs: Held) -> np.ndarray:
    """Place of each pair among those of its row, (n,) int64: 0 for the highest estimate, of equal ones the lowest row."""
    order = np.lexsort((pairs.b, -pairs.estimate, pairs.a))
    a = pairs.a[order]
    starts = np.flatnonzero(np.append(True, a[1:] != a[:-1])[: len(a)])
    place = np.empty(len(a), np.int64)
    place[order] = np.arange(len(a)) - np.repeat(starts, np.diff(np.append(starts, len(a))))
    return place


class HeldPairs:
    """Pairs of some rows that may be stored.

    Parameters
    ----------
    embeddings
        The raw vectors, which decide.
    rows
        (n,) int64 rows that are compared.
    settings
        Which pairs are stored.
    error
        Most that an estimate and the cosine of the raw vectors differ by.
    most
        Pairs that are held before they are judged; 2 * k * n where that is more, for what has to stay.

    Attributes
    ----------
    floor : float32 (n,), the least estimate of a pair of each row that can still matter.
    near : int64 (n,), near-duplicates found of each row.
    """

    def __init__(
        self,
        embeddings: Embeddings,
        rows: np.ndarray,
        settings: PairSettings,
        error: float,
        most: int,
    ):
        self._embeddings, self._rows, self._settings = embeddings, rows, settings
        self._error, self._most = error, max(most, 2 * settings.k * len(rows))
        self._held: list[Held] = []
        self._count = 0
        self.floor = np.full(len(rows), settings.at_least - error, np.float32)
        self.near = np.zeros(len(rows), np.int64)

    @property
    def room(self) -> int:
        """Pairs that can be added before `settle` is due."""
        return max(0, self._most - self._count)

    def add(self, pairs: Held) -> None:
        """Hold pairs, none of them twice."""
        self._held.append(pairs)
        self._count += len(pairs.a)

    def settle(self) -> pd.DataFrame:
        """`pairs` table of the near-duplicates that are held; what can be a relative stays.

        Of a row with more than `most_neighbours` near-duplicates only pairs that tie the same rows together.
        """
        held, threshold = self._take(), self._settings.threshold
        perhaps = held.estimate >= threshold - self._error
        near = self._thin(held.pick(perhaps))
        cosine = self._cosines(near)
        found = cosine >= threshold
        for some in (held.pick(~perhaps), near._replace(estimate=cosine).pick(~found)):
            self._keep(some)
        if self._count > self._most // 2:  # estimates alone leave too many
            self._keep(self._nearest(self._take()))
        return self._table(near._replace(estimate=cosine).pick(found))

    def relatives(self) -> pd.DataFrame:
        """`pairs` table of the k nearest relatives of each row; call it last, after `settle`."""
        return self._table(self._nearest(self._take()))

    def _take(self) -> Held:
        none = np.empty(0, np.int64)
        held = [Held(none, none, none.astype(np.float32)), *self._held]
        self._held, self._count = [], 0
        return Held(*(np.concatenate(column) for column in zip(*held, strict=True)))

    def _thin(self, near: Held) -> Held:
        """Without what rows with very many near-duplicates can do without: their components stay."""
        sure = near.estimate >= self._settings.threshold + self._error
        self.near += np.bincount(near.a[sure], minlength=len(self.near))
        crowd = sure & (self.near[near.a] > self._settings.most_neighbours)
        pairs = near.pick(crowd)
        forest = np.flatnonzero(crowd)[spanning_forest(self._rows[pairs.a], pairs.b)]
        return near.pick(np.concatenate([np.flatnonzero(~crowd), forest]))

    def _keep(self, relatives: Held) -> None:
        """Hold pairs below the threshold, but for those that have k others surely above them."""
        # so that they are not taken for near-duplicates again; off by the error at most
        below = np.nextafter(np.float32(self._settings.threshold - self._error), np.float32(-1))
        relatives = relatives._replace(estimate=np.minimum(relatives.estimate, below))
        last = relatives.pick(ranks(relatives) == self._settings.k - 1)
        self.floor[last.a] = np.maximum(self.floor[last.a], last.estimate - 2 * self._error)
        self.add(relatives.pick(relatives.estimate >= self.floor[relatives.a]))

    def _nearest(self, held: Held) -> Held:
        """The k relatives of each row by the cosine of the raw vectors, which is their estimate."""
        held = held._replace(estimate=self._cosines(held))
        relative = held.estimate >= self._settings.at_least
        held = held.pick(relative & (held.estimate < self._settings.threshold))
        return held.pick(ranks(held) < self._settings.k)

    def _cosines(self, pairs: Held) -> np.ndarray:
        return self._embeddings.cosines(self._rows[pairs.a], pairs.b)

    def _table(self, pairs: Held) -> pd.DataFrame:
        return unique_pairs(self._rows[pairs.a], pairs.b, pairs.estimate)
