"""How much generations look like training images: top-1 similarity, its percentiles, split products.

Somepalli 2022 (top-1 dot product, share above 0.5, split product), Somepalli 2023 (dataset similarity score: 95th
percentile; background: training images among themselves).
"""

from __future__ import annotations

import faiss
import numpy as np

from verbatim.io.search import search_rows

PERCENTILES = (50, 75, 90, 95, 97, 99)  # 95: the dataset similarity score


def nearest(queries: np.ndarray, training: np.ndarray, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The k training vectors with the largest dot product of each query, by faiss, exactly.

    queries (n, d), training (m, d), unit length. Returns similarity float32 (n, k), highest first, and place
    int64 (n, k) in `training`; -inf and -1 where there are fewer.
    """
    index = faiss.IndexFlatIP(training.shape[1])
    index.add(np.ascontiguousarray(training, np.float32))
    return search_rows(index, np.ascontiguousarray(queries, np.float32), k)


def background(training: np.ndarray) -> np.ndarray:
    """Similarity of each training image to the one most like it (m,): the second of its top two.

    Somepalli 2023: the value that a similarity of generations is compared with. Images are distinct ones: a
    duplicate would always find itself.
    """
    return nearest(training, training, 2)[0][:, 1]


def split_product(a: np.ndarray, b: np.ndarray, cross: bool = False) -> np.ndarray:
    """Split product of each pair: the largest inner product of two chunks, (n,).

    Somepalli 2022: vectors are cut into chunks, so that a copy of a part counts, which the whole vector's inner
    product averages away. As in the code released with Somepalli 2023 the whole vector has unit length, not the
    chunk: of c chunks that all agree each gives about 1 / c.

    a, b : (n, c, e). cross: over all pairs of chunks, not only those of one place.
    """
    if cross:
        return np.matmul(a, b.transpose(0, 2, 1)).max(axis=(1, 2))
    return np.einsum("nce,nce->nc", a, b).max(axis=1)


def nearest_split(queries: np.ndarray, training: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The training image with the largest split product of corresponding chunks.

    queries (n, c, e), training (m, c, e). Returns the product (n,) and the place (n,); ties: the first.
    """
    best = np.full((len(queries), len(training)), -np.inf, np.float32)
    for chunk in range(queries.shape[1]):
        np.maximum(best, queries[:, chunk] @ training[:, chunk].T, out=best)
    place = best.argmax(axis=1)
    return best[np.arange(len(queries)), place], place
