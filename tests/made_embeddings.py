"""Made embeddings on disk, and an index of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from verbatim.dedup.index import build_index
from verbatim.search import Embeddings


def embeddings(folder: Path, vectors: np.ndarray, cuts: list[int], dtype=np.float16) -> Embeddings:
    """These vectors in shards that are cut before the rows `cuts`."""
    firsts = [0, *cuts]
    files = []
    for i, part in enumerate(np.split(vectors, cuts)):
        files.append(folder / f"img_emb_{i}.npy")
        np.save(files[-1], part.astype(dtype))
    return Embeddings(files, firsts)


def index_of(all_vectors: Embeddings, rows: np.ndarray, factory: str = "Flat") -> Any:
    return build_index(all_vectors, rows, factory, nprobe=99, train_rows=500, seed=0, batch=64)
