"""Nearest training rows by CLIP embedding: the index that `dedup` builds, and the raw vectors it came from.

Similarities are inner products of L2-normalised vectors, so cosines. Rows are global rows. Of rows with
one and the same vector only the lowest is in the index (see `dedup.copies`), so that copies of one image
don't take all the places. The index lies in parts, each of some shards (see `dedup.index`).
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, overload

import faiss
import numpy as np
import pandas as pd

from verbatim.io.seals import DamagedError, SealedArray, check_file

PAIRS_AT_ONCE = 16384  # pairs of vectors read together: 100 MB at 768 dimensions in float32
IN_CACHE = 256
KEEP_OPEN = 64  # maps at a time, each a file descriptor of the usual 1,024; `dedup.spill` has 500


class SearchError(ValueError):
    """The index or the embeddings cannot be used; the message names the file and the cure."""


def use_threads(threads: int) -> None:
    """Let faiss use so many threads: the rule's."""
    faiss.omp_set_num_threads(max(1, int(threads)))


def gpu_state() -> str:
    """ "" where faiss can use a GPU, else why not."""
    if not hasattr(faiss, "StandardGpuResources"):
        return f"faiss {faiss.__version__} is built without GPU support"
    return "" if faiss.get_num_gpus() else "faiss sees no GPU"


def clone_to_gpu(index: Any) -> Any:
    """A copy of an index on the GPU: the only one that the job has."""
    return faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)


def open_part(path: str | os.PathLike, mapped: bool = True, check: bool = True) -> Any:
    """Open one faiss index, its lists mapped from disk where its kind can be (an index to be filled: not).

    check: whether to read all of it once and compare it with its checksums.

    Raises SearchError if there is none or it is not an index of inner products, DamagedError if it is damaged.
    """
    if not os.path.exists(path):
        raise SearchError(f"{path}: no such index; run the rule build_index")
    if check:
        check_file(path)
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP if mapped else 0)
    except RuntimeError as err:
        raise SearchError(
            f"{path}: not a faiss index ({err}); delete it and run build_index"
        ) from err
    if index.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise SearchError(f"{path}: not an index of inner products; delete it and run build_index")
    return index


class PartedIndex:
    """An index in parts that lie on disk; they are searched one after the other, one open at a time.

    Parameters
    ----------
    paths
        The parts, of one trained index and no row in two.
    gpu
        Copy each part to the GPU to search it.
    """

    def __init__(self, paths: Sequence[str | os.PathLike], gpu: bool = False):
        if not paths:
            raise SearchError("no part of an index; run the rule build_index")
        self.paths, self.gpu = [str(path) for path in paths], gpu
        self._checked: set[str] = set()
        for path in self.paths:
            if not os.path.exists(path):
                raise SearchError(f"{path}: no such index; run the rule build_index")
        self._path, self._part = "", None
        self.d = int(self._open(self.paths[0]).d)

    def _open(self, path: str) -> Any:
        """One stays open, so that an index of one part is opened once."""
        if self._path != path:
            self._path, self._part = "", None  # closed before the next is opened
            part = open_part(path, check=path not in self._checked)
            self._checked.add(path)
            self._path, self._part = path, clone_to_gpu(part) if self.gpu else part
        return self._part

    def parts(self) -> Iterator[Any]:
        """Each part, opened."""
        for path in self.paths:
            part = self._open(path)
            if part.d != self.d:
                raise SearchError(
                    f"{path}: {part.d} dimensions, but {self.d} in {self.paths[0]}; "
                    "run build_index again"
                )
            yield part


def open_index(
    paths: str | os.PathLike | Sequence[str | os.PathLike], gpu: bool = False
) -> PartedIndex:
    """Open an index of one file or of several; raises SearchError if one cannot be used."""
    return PartedIndex([paths] if isinstance(paths, (str, os.PathLike)) else paths, gpu)


def search_rows(
    index: Any, queries: np.ndarray, k: int, batch: int = 1024
) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest rows of each query.

    Parameters
    ----------
    index
        An open index, or its path.
    queries
        (n, d), L2-normalised.
    k
        How many; fewer if the index finds fewer.
    batch
        Queries searched together: bounds memory beside the results. Similarities agree within 1e-6 whatever
        the batch and the parts of the index; of two rows that are nearer than that, either may
        come first.

    Returns
    -------
    similarity : float32 (n, k)
        Highest first, equal ones by row; -inf where there is none. Of a compressed index (PQ) an estimate.
    row : int64 (n, k)
        Global rows; -1 where there is none.
    """
    if isinstance(index, (str, os.PathLike)):
        index = open_index(index)
    if queries.ndim != 2 or queries.shape[1] != index.d:
        raise SearchError(
            f"queries of shape {queries.shape} for an index of {index.d} dimensions: "
            "both must come from one embedding model"
        )
    if k < 1:
        raise SearchError(f"k is {k}; ask for at least one neighbour")
    similarity = np.full((len(queries), k), -np.inf, dtype=np.float32)
    row = np.full((len(queries), k), -1, dtype=np.int64)
    parts = index.parts() if isinstance(index, PartedIndex) else [index]
    for number, part in enumerate(parts):  # outside: each is read once
        reach = min(k, max(1, part.ntotal))
        for start in range(0, len(queries), batch):
            at = slice(start, start + batch)
            found, ids = part.search(np.ascontiguousarray(queries[at], dtype=np.float32), reach)
            found = np.where(ids < 0, -np.inf, found)
            if number:
                found = np.concatenate([similarity[at], found], axis=1)
                ids = np.concatenate([row[at], ids], axis=1)
            order = np.lexsort((ids, -found), axis=1)[:, :k]
            width = order.shape[1]
            similarity[at, :width] = np.take_along_axis(found, order, axis=1)
            row[at, :width] = np.take_along_axis(ids, order, axis=1)
    return similarity, row


class MappedArrays(Sequence[np.ndarray]):
    """Arrays in .npy files, mapped from disk when asked for; the last `KEEP_OPEN` stay open.

    LAION has thousands of shards and a process may have a thousand files open. What is taken of an array
    and kept has to be copied: a view holds its map open.
    """

    def __init__(self, files: Sequence[str | os.PathLike]):
        self.files = [str(f) for f in files]
        self._maps: OrderedDict[int, SealedArray] = OrderedDict()

    def __len__(self) -> int:
        return len(self.files)

    @overload
    def __getitem__(self, number: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, number: slice) -> Sequence[np.ndarray]: ...

    def __getitem__(self, number: int | slice) -> np.ndarray | Sequence[np.ndarray]:
        """A whole array, checked; raises SearchError if the file cannot be read as one, DamagedError."""
        if isinstance(number, slice):
            return MappedArrays(self.files[number])
        return self.open(number)[:]

    def open(self, number: int) -> SealedArray:
        """An array whose rows are checked as they are taken; raises SearchError if it cannot be read as one."""
        path = self.files[number]  # past the end: IndexError, which ends a loop
        if number in self._maps:
            self._maps.move_to_end(number)
        else:
            while len(self._maps) >= KEEP_OPEN:
                self._maps.popitem(last=False)
            try:
                self._maps[number] = SealedArray(path)
            except DamagedError:
                raise
            except (OSError, ValueError, EOFError) as err:
                raise SearchError(f"{path}: not readable as an array ({err})") from err
        return self._maps[number]


class Embeddings:
    """All shards of raw embeddings as one long array (n, d), mapped from disk.

    Parameters
    ----------
    files
        .npy files, float16 or float32, in order of the global row.
    first_rows
        Global row of each file's first.
    """

    def __init__(self, files: Sequence[str | os.PathLike], first_rows: Sequence[int]):
        self.files = [str(f) for f in files]
        self._first = np.asarray(first_rows, dtype=np.int64)
        if len(self.files) != len(self._first) or not self.files:
            raise SearchError(
                f"{len(self.files)} files of embeddings, {len(self._first)} first rows"
            )
        self._arrays = MappedArrays(self.files)

    @classmethod
    def from_manifest(cls, manifest: pd.DataFrame) -> Embeddings:
        """Of the files that inputs/manifest.tsv lists (columns `embeddings`, `first_row`)."""
        return cls(list(manifest["embeddings"]), list(manifest["first_row"]))

    def shard(self, number: int) -> np.ndarray:
        """One file's embeddings, mapped; unchecked, for its shape and type."""
        return self._arrays.open(number).array

    @cached_property
    def n_rows(self) -> int:
        return int(self._first[-1]) + len(self.shard(len(self.files) - 1))

    @cached_property
    def dim(self) -> int:
        return int(self.shard(0).shape[1])

    def take(self, rows: np.ndarray) -> np.ndarray:
        """The vectors of these rows, as stored, (n, d). Reads each row once and in order of the files."""
        rows = np.asarray(rows, dtype=np.int64)
        if len(rows) and (rows.min() < 0 or rows.max() >= self.n_rows):
            bad = rows[(rows < 0) | (rows >= self.n_rows)][0]
            raise SearchError(
                f"row {bad} is not among the {self.n_rows} rows of {self.files[0]} ff."
            )
        wanted, back = np.unique(rows, return_inverse=True)
        out = np.empty((len(wanted), self.dim), dtype=self.shard(0).dtype)
        ends = np.append(self._first[1:], self.n_rows)
        lows = np.searchsorted(wanted, self._first)
        highs = np.searchsorted(wanted, ends)
        for number in np.flatnonzero(highs > lows):
            part = slice(lows[number], highs[number])
            out[part] = self._arrays.open(int(number))[wanted[part] - self._first[number]]
        return out[back]

    def cosines(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Cosine of the raw vectors of each pair of rows, float32 (n,), at most 1.

        Read in order of `b`: where all of `a` lie in one shard, each file is passed over once. A pair's
        cosine is the same to the bit in whatever company and order it is asked for: each is summed on its
        own.
        """
        out = np.empty(len(a), dtype=np.float32)
        order = np.lexsort((a, b))
        for start in range(0, len(a), PAIRS_AT_ONCE):
            part = order[start : start + PAIRS_AT_ONCE]
            rows, back = np.unique(np.concatenate([a[part], b[part]]), return_inverse=True)
            vectors = self.take(rows).astype(np.float32)
            lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
            left, right = back[: len(part)], back[len(part) :]
            dots = np.empty(len(part), dtype=np.float32)
            for first in range(0, len(part), IN_CACHE):  # what is gathered stays in the cache
                some = slice(first, first + IN_CACHE)
                np.einsum("ij,ij->i", vectors[left[some]], vectors[right[some]], out=dots[some])
            out[part] = np.minimum(dots / (lengths[left] * lengths[right]), np.float32(1))
        return out
