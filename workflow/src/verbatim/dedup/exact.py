"""Exact neighbour pairs: products of blocks of rows with blocks of rows, without an index and without a k.

An index gives k neighbours of a row, so that a cluster of more rows can fall apart. Here each row is compared with every
row of the half of the data set that follows it, in a ring: after the last row comes the first. So each pair of rows is
multiplied once, every row sees as many others, and every shard's job takes as long. Abbas et al. 2023 (SemDeDup,
arXiv 2303.09540) multiply all pairs too, but inside cells of k-means alone.

On a GPU the products are in half precision. Its error is bounded, so that they only choose which raw vectors are compared;
what is stored does not depend on the device, on the blocks or on the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from verbatim.dedup.held_pairs import Held, HeldPairs
from verbatim.dedup.pairs import PairSettings
from verbatim.io.search import Embeddings

# most that a product of unit vectors is off. float32: 2 ** -24 for each of a few thousand dimensions
ERROR = 2**-12
# float16: 2 ** -11 of each of both vectors, half of that in rounding the product and in rounding what it is compared
# with, and the sum, which is in float32
HALF_ERROR = 2**-9
# ASSUME: a product of so many rows, 512 MB in half precision, keeps a GPU busy
GPU_BLOCK = 16384


class Choice(NamedTuple):
    """Whether a search is exact, and why."""

    exact: bool
    why: str


def choose_search(search: str, n_rows: int, most: Mapping[str, int], gpu: bool) -> Choice:
    """Which search a data set gets.

    Parameters
    ----------
    search
        `index`, `exact` or `auto`.
    n_rows
        Rows of the data set.
    most
        Rows up to which `auto` is exact, on `cpu` and on `gpu`.
    gpu
        Whether PyTorch has a GPU for it.
    """
    if search != "auto":
        return Choice(search == "exact", f"dedup.search is {search}")
    device = "gpu" if gpu else "cpu"
    exact = n_rows <= most[device]
    side = "at most" if exact else "more than"
    return Choice(exact, f"{n_rows} rows are {side} dedup.exact_rows.{device} = {most[device]}")


@dataclass(frozen=True)
class Products:
    """How blocks are multiplied: in float32 by NumPy, or in float16 by PyTorch.

    Parameters
    ----------
    device
        PyTorch's device of products in half precision; empty: float32 on the CPU, without PyTorch.
    block
        Rows of a block's side.
    """

    device: str
    block: int

    @classmethod
    def on(cls, device: str, batch: int) -> Products:
        """Half precision on a GPU, in blocks of `batch` rows or more; float32 on a CPU."""
        return cls("", batch) if device == "cpu" else cls(device, max(batch, GPU_BLOCK))

    @property
    def error(self) -> float:
        """Most that a product is off."""
        return HALF_ERROR if self.device else ERROR

    def unit(self, vectors: np.ndarray) -> Any:
        """(n, d) of any float type, no zero vector, as unit vectors that can be multiplied."""
        if not self.device:
            whole = vectors.astype(np.float32)
            return whole / np.linalg.norm(whole, axis=1, keepdims=True)
        whole = self.array(vectors).float()
        return (whole / whole.norm(dim=1, keepdim=True)).half()

    def array(self, values: np.ndarray) -> Any:
        """These values where the products are."""
        if not self.device:
            return values
        import torch  # here: without a GPU a job does without it

        # or long sums are added up in half precision too
        torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
        return torch.from_numpy(values).to(self.device)

    def nonzero(self, mask: Any) -> tuple[np.ndarray, np.ndarray]:
        """Positions (row, column) of a mask's set values, int64."""
        row, column = mask.nonzero(as_tuple=True) if self.device else mask.nonzero()
        return self.numpy(row), self.numpy(column)

    def numpy(self, values: Any) -> np.ndarray:
        """The same values in NumPy."""
        out: np.ndarray = values.cpu().numpy() if self.device else values
        return out


def regroup(pieces: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """The rows of `pieces`, (n,) each, in pieces of `size`; the last may be shorter."""
    held = np.empty(0, np.int64)
    for piece in pieces:
        held = np.concatenate([held, piece])
        whole = len(held) // size * size
        yield from np.split(held[:whole], range(size, whole, size)) if whole else ()
        held = held[whole:]
    if len(held):
        yield held


def follows(rows: Any, others: Any, n: int) -> Any:
    """Which of `others` lie in the half of a ring of n rows that follows each of `rows`; of any shapes that broadcast.

    Of two rows exactly one follows the other.
    """
    ahead = (others - rows) % n
    return (ahead > 0) & ((2 * ahead < n) | ((2 * ahead == n) & (rows < others)))


def share_that_follows(rows: np.ndarray, others: np.ndarray, n: int) -> str:
    """Whether `all`, `some` or `none` of `others` follow `rows` for sure; both ascending, (k,) and (m,) int64."""
    low, high = int(others[0] - rows[-1]), int(others[-1] - rows[0])
    turns = ((low, high), (low + n, high + n))
    if any(near >= 1 and 2 * far < n for near, far in turns):
        return "all"
    return "some" if any(far >= 1 and 2 * near <= n for near, far in turns) else "none"


class ExactSearch:
    """All near-duplicates of rows, and their nearest relatives.

    Parameters
    ----------
    embeddings
        The raw vectors of all rows.
    others
        Gives the rows that take part, of all shards, without copies: int64 pieces, ascending. Called once a pass.
    settings
        Which pairs are stored: all from `threshold` on; of relatives the k nearest of each row among the rows that
        follow it. A row with more than `most_neighbours` near-duplicates among these keeps pairs that tie the same rows into
        one cluster, so that a cluster of n rows never costs n * n pairs.
    how
        Device, type and block.
    memory
        Bytes of the rows of a pass and of the pairs they hold; a block's products come on top.

    Attributes
    ----------
    passes : over the data set so far.
    crowded : rows so far that had more than `most_neighbours` near-duplicates.
    """

    def __init__(
        self,
        embeddings: Embeddings,
        others: Callable[[], Iterable[np.ndarray]],
        settings: PairSettings,
        how: Products,
        memory: int,
    ):
        self._embeddings, self._others, self._how = embeddings, others, how
        self._settings, self._memory = settings, memory
        self.passes = self.crowded = 0

    @property
    def rows_a_pass(self) -> int:
        """Rows that are compared in one pass over the data set: of each the vector and 2 k pairs of 64 bytes; a block at least."""
        fits = self._memory // (4 * self._embeddings.dim + 128 * self._settings.k)
        return max(self._how.block, fits)

    def pairs(self, rows: np.ndarray) -> Iterator[pd.DataFrame]:
        """`pairs` table in pieces, in no order, each pair once.

        rows : (n,) int64, ascending; those of a shard that take part, without copies.
        """
        for start in range(0, len(rows), self.rows_a_pass):
            some = rows[start : start + self.rows_a_pass]
            held = HeldPairs(
                self._embeddings, some, self._settings, self._how.error, self._memory // 64
            )
            yield from self._search(some, held)
            yield held.settle()
            yield held.relatives()
            self.passes += 1
            self.crowded += int((held.near > self._settings.most_neighbours).sum())

    def _search(self, rows: np.ndarray, held: HeldPairs) -> Iterator[pd.DataFrame]:
        block, n = self._how.block, self._embeddings.n_rows
        mine = self._how.unit(self._embeddings.take(rows))
        for others in regroup(self._others(), block):
            if share_that_follows(rows, others, n) == "none":
                continue
            theirs = self._how.unit(self._embeddings.take(others))
            for start in range(0, len(rows), block):
                some = slice(start, min(len(rows), start + block))
                which = share_that_follows(rows[some], others, n)
                if which == "none":
                    continue
                products = mine[some] @ theirs.T
                if which == "some":
                    products[~self._ring(rows[some], others)] = -np.inf
                yield from self._add(held, products, start, others)

    def _ring(self, rows: np.ndarray, others: np.ndarray) -> Any:
        a, b = self._how.array(rows), self._how.array(others)
        return follows(a[:, None], b[None, :], self._embeddings.n_rows)

    def _add(
        self, held: HeldPairs, products: Any, start: int, others: np.ndarray
    ) -> Iterator[pd.DataFrame]:
        """Hold the pairs of a block that may matter; in halves where they are more than there is room for."""
        how = self._how
        floor = held.floor[start : start + len(products)]
        above = products >= how.array(floor.astype(np.float16) if how.device else floor)[:, None]
        found = int(above.sum())
        if found > held.room:
            yield held.settle()
            if len(products) > 1:
                half = len(products) // 2
                yield from self._add(held, products[:half], start, others)
                yield from self._add(held, products[half:], start + half, others)
                return
        if found:
            at, column = how.nonzero(above)
            estimate = how.numpy(products[at, column]).astype(np.float32)
            held.add(Held(start + at, others[column], estimate))
