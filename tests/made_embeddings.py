"""Made embeddings on disk, and an index of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from verbatim.dedup.equal_vectors import find_copies, fingerprints
from verbatim.dedup.index import draw_rows, fill_index, train_index, write_index
from verbatim.io.search import Embeddings, PartedIndex, open_index, open_part


def embeddings(folder: Path, vectors: np.ndarray, cuts: list[int], dtype=np.float16) -> Embeddings:
    """These vectors in shards that are cut before the rows `cuts`."""
    firsts = [0, *cuts]
    files = []
    for i, part in enumerate(np.split(vectors, cuts)):
        files.append(folder / f"img_emb_{i}.npy")
        np.save(files[-1], part.astype(dtype))
    return Embeddings(files, firsts)


def index_of(all_vectors: Embeddings, rows: np.ndarray, factory: str = "Flat") -> Any:
    """An index of these rows in one piece, in memory."""
    index = train_index(all_vectors, draw_rows([rows], 500, seed=0), factory, nprobe=99)
    return fill_index(index, all_vectors, [rows], batch=64)


def index_in_parts(
    folder: Path, all_vectors: Embeddings, parts: list[np.ndarray], factory: str = "Flat"
) -> PartedIndex:
    """The same index in a file a part."""
    write_index(
        train_index(all_vectors, draw_rows(parts, 500, seed=0), factory, nprobe=99),
        folder / "trained.faiss",
    )
    files = []
    for i, rows in enumerate(parts):
        trained = open_part(folder / "trained.faiss", mapped=False)
        files.append(folder / f"part{i}.faiss")
        write_index(fill_index(trained, all_vectors, [rows], batch=64), files[-1])
    return open_index(files)


def copies_of(
    all_vectors: Embeddings,
    shards: list[np.ndarray],
    folder: Path,
    memory: int = 1 << 30,
    batch: int = 1000,
) -> pd.DataFrame:
    """`copies` table of the rows of these shards."""
    marks = [fingerprints(all_vectors, rows, batch) for rows in shards]
    none = pd.DataFrame({"row": [], "first": []}, dtype="int64")
    return pd.concat(
        [none, *find_copies(all_vectors, marks, folder, memory, batch)], ignore_index=True
    )
