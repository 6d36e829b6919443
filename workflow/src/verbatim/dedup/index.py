"""The index of all distinct embeddings: trained once on a sample, filled in parts.

Webster et al. 2023, "On the De-duplication of LAION-2B" (arXiv 2303.12733), with the index that the config's
factory string names: the default `Flat` is exact; `OPQ32_128,IVF65536_HNSW32,PQ32` and the like hold billions of
rows. A part is the trained index with the rows of a few shards. Where a row is filed and what of it is stored
depends on the trained index and the row alone, so a search of all parts finds the same neighbours as one index of all
rows. Each part is built by a job of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import faiss
import numpy as np

from verbatim.dedup import DedupError
from verbatim.dedup.equal_vectors import indexed_rows
from verbatim.io.atomic import new_file
from verbatim.io.records import read_table, rows_between
from verbatim.io.seals import seal_file
from verbatim.io.search import Embeddings, clone_to_gpu


def distinct_rows(rows: np.ndarray, copies: np.ndarray) -> np.ndarray:
    """Rows (n,) int64, ascending, without those in `copies` (m,) int64."""
    return rows[~np.isin(rows, copies)]


def read_distinct_rows(rows: str | os.PathLike, copies: str | os.PathLike) -> np.ndarray:
    """Rows of a shard that take part and are no copies, (n,) int64, ascending; of its `rows` file and the `copies` file."""
    some = indexed_rows(read_table(rows, "rows", ["row", "status"]))
    return distinct_rows(some, rows_between(copies, "copies", some, ["row"])["row"].to_numpy())


def draw_rows(shards: Iterable[np.ndarray], n: int, seed: int) -> np.ndarray:
    """A sample of n of all rows, or all if they are fewer: (n,) int64, ascending.

    Each row draws a number from itself and the seed, the lowest n are taken: the sample doesn't
    depend on how the rows are cut into shards. Memory: one shard and the sample.
    """
    salt = np.random.default_rng(seed).integers(0, 2**64, dtype=np.uint64)
    drawn, rows = np.empty(0, np.uint64), np.empty(0, np.int64)
    for shard in shards:
        mixed = (shard.astype(np.uint64) ^ salt) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
        drawn = np.concatenate([drawn, mixed ^ (mixed >> np.uint64(32))])
        rows = np.concatenate([rows, shard])
        if len(rows) > n:
            keep = np.argpartition(drawn, n - 1)[:n]  # no two rows draw one number
            drawn, rows = drawn[keep], rows[keep]
    return np.sort(rows)


def _skip_unread_training(index: Any) -> None:
    """Train the centroids of product codes alone, not their order.

    faiss sorts centroids of 8 bits by simulated annealing, so that the Hamming distance of two codes tells of their
    vectors' (polysemous codes; Douze et al. 2016, arXiv 1609.01882): seconds for each byte of a code. No search here reads it.
    """
    while index is not None:
        index = faiss.downcast_index(index)
        if hasattr(index, "do_polysemous_training"):
            index.do_polysemous_training = False
        index = getattr(index, "index", None)  # what a transformed index holds


def train_index(
    embeddings: Embeddings,
    sample: np.ndarray,
    factory: str,
    nprobe: int,
    gpu: bool = False,
) -> Any:
    """An empty faiss index by inner product, trained where its kind is; ids will be global rows.

    Parameters
    ----------
    embeddings
        The raw vectors.
    sample
        Rows to train on, ascending: 4 bytes of memory a value.
    factory
        faiss factory string.
    nprobe
        Lists that a search visits, where the index has inverted lists; stored in it.
    gpu
        Find the centroids on a GPU.

    Raises
    ------
    DedupError
        If no row takes part, the factory string is unknown or does not fit the dimensions, or there are too
        few rows to train it.
    """
    if len(sample) == 0:
        raise DedupError(
            "no row has a usable embedding: see the `reason` column in inputs/rows, and bring L2-normalised "
            "embeddings"
        )
    try:
        index = faiss.index_factory(embeddings.dim, factory, faiss.METRIC_INNER_PRODUCT)
    except RuntimeError as err:
        raise DedupError(
            f"dedup.factory: faiss cannot make {factory!r} for {embeddings.dim} dimensions: {err}"
        ) from err
    if isinstance(index, faiss.IndexRefine):
        raise DedupError(
            f"dedup.factory: {factory!r} keeps the vectors a second time to refine what it finds, and knows them by position "
            f"alone; similarities are computed from the raw vectors anyway: take {factory.rpartition(',')[0]!r}"
        )
    _skip_unread_training(index)
    try:
        lists = faiss.extract_index_ivf(index)
        lists.nprobe = nprobe
    except RuntimeError:
        # no inverted lists: such an index knows vectors by position alone, unless it is wrapped
        index, lists = faiss.IndexIDMap(index), None
    if not index.is_trained:
        if gpu and lists is not None:
            # kept by a name: the index itself holds no more than a pointer
            kind = faiss.IndexFlatIP if lists.cp.spherical else faiss.IndexFlatL2
            coarse = clone_to_gpu(kind(lists.d))
            lists.clustering_index = coarse
        try:
            index.train(embeddings.take(sample).astype(np.float32))
        except RuntimeError as err:
            raise DedupError(
                f"dedup.factory: {factory!r} cannot be trained on {len(sample)} rows; "
                f"take a coarser one, or Flat ({err})"
            ) from err
        if lists is not None:
            lists.clustering_index = None  # type: ignore[assignment]
    return index


def fill_index(index: Any, embeddings: Embeddings, parts: Iterable[np.ndarray], batch: int) -> Any:
    """Add these rows' vectors to a trained index, under their global rows.

    parts : rows to hold, (n,) int64 each, ascending. batch : vectors added together. A flat index does not depend on how
    rows are cut into parts. With inverted lists a vector may enter another list if its distances to two centroids
    differ by less than 1e-6.
    """
    held = np.empty(0, np.int64)

    def add(rows: np.ndarray) -> None:
        index.add_with_ids(embeddings.take(rows).astype(np.float32), rows)

    for rows in parts:
        held = np.concatenate([held, rows])
        while len(held) >= batch:
            add(held[:batch])
            held = held[batch:]
    if len(held):
        add(held)
    return index


def write_index(index: Any, path: str | os.PathLike) -> None:
    """Write a faiss index, sealed (see `io.seals`); whole or not at all."""
    with new_file(path) as temporary:
        faiss.write_index(index, str(temporary))
        seal_file(temporary)
