"""Which training images the generations of triggered prompts give back, and which generations repeat.

A copy is what the labels call one; its distance is taken to every training image, so that nothing depends on retrieval by embedding. A found
prompt has no training row, so an exact copy is labelled RV. Whoever has no training images sees only which generations repeat: MemBench
(Hong et al. 2024) clusters them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from verbatim.labels.fetched_images import Squares
from verbatim.labels.label import LabelSettings, label_generations
from verbatim.metrics.equal_images import first_of_equal
from verbatim.metrics.rmse import rmse

BLOCK = 128  # generations compared at once; bounds memory, changes nothing
COLUMNS = ("label", "source_row", "distance", "distance_tv", "mask_area", "review", "review_reason")


def label_images(
    images: np.ndarray,
    rows: np.ndarray,
    training: np.ndarray,
    near: int,
    settings: LabelSettings,
) -> list[dict[str, Any]]:
    """The columns `COLUMNS` of each generation, judged alone, and of the nearest of all training images.

    Returns
    -------
    A record each, with `nearest`, the RMSE to that image, and `nearest_row`, its row.

    Parameters
    ----------
    images : (n, s, s, 3) in [0, 1]. rows : (t,) of the training images (t, s, s, 3) in [0, 1].
    near : training images, the nearest first, that the labels see of each: sources of copies, and partners of template masks.
    """
    records = []
    for start in range(0, len(images), BLOCK):
        some = images[start : start + BLOCK]
        for image, apart in zip(some, rmse(some, training), strict=True):
            chosen = np.argsort(apart, kind="stable")[:near]
            squares = Squares(
                rows[chosen], ["whole"] * len(chosen), np.zeros(len(chosen), bool), training[chosen]
            )
            record, _ = label_generations(image[None], [0], squares, settings)
            found = {"nearest": float(apart.min()), "nearest_row": int(rows[chosen[0]])}
            records.append(found | {name: record[name] for name in COLUMNS})
    return records


def cluster_repeats(images: np.ndarray, threshold: float, least: int) -> np.ndarray:
    """Cluster of each generation (n,), from 0; -1 of one that does not repeat.

    Clusters are the connected components of generations whose RMSE is at most `threshold`, of `least` members or more.

    images : (n, s, s, 3) in [0, 1].
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    if not len(images):
        return np.zeros(0, np.int64)
    near = rmse(images, images) <= threshold
    _, part = connected_components(csr_array(near), directed=False)
    _, inverse, sizes = np.unique(part, return_inverse=True, return_counts=True)
    large = sizes >= least
    number = np.where(large, np.cumsum(large) - 1, -1)
    return np.asarray(number[inverse], np.int64)


def different_rows(rows: Sequence[int], images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of training images (t, h, w, 3) the first of each that are equal to the pixel, and their rows."""
    first = first_of_equal(images)
    return np.asarray(rows, np.int64)[first], images[first]
