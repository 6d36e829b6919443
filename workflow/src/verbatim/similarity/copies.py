"""Training images that a run copies pixel by pixel: recall of the planted ones.

A similarity says how alike images look; a copy is one by distance (Webster 2023, section 4: RMSE below the labels'
threshold). Only here is it known what was planted, so that recall can be had.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from verbatim.metrics.rmse import as_floats, rmse


class Copies(NamedTuple):
    """Distances of n generations to m training images.

    nearest : (n,) RMSE to the nearest. source : (n,) its place. found : (m,) whether any generation is a copy of it.
    """

    nearest: np.ndarray
    source: np.ndarray
    found: np.ndarray


def find_copies(
    generations: np.ndarray, training: np.ndarray, threshold: float, batch: int = 512
) -> Copies:
    """RMSE of every generation (n, s, s, 3) and training image (m, s, s, 3), both uint8 or both in [0, 1].

    threshold : RMSE up to which a generation is a copy, of the nearest image alone: one blur near many images
        copies one of them at most.
    """
    n, m = len(generations), len(training)
    if not n or not m:
        return Copies(np.full(n, np.nan), np.full(n, -1), np.zeros(m, bool))
    made = as_floats(generations)
    nearest, source = np.full(n, np.inf), np.zeros(n, np.int64)
    for start in range(0, m, batch):
        distances = rmse(made, as_floats(training[start : start + batch]))
        place = distances.argmin(axis=1)
        best = distances[np.arange(n), place]
        closer = best < nearest
        nearest[closer], source[closer] = best[closer], start + place[closer]
    found = np.zeros(m, bool)
    found[source[nearest <= threshold]] = True
    return Copies(nearest, source, found)
