"""Images that are equal to the pixel."""

from __future__ import annotations

import numpy as np


def first_of_equal(images: np.ndarray) -> np.ndarray:
    """Places of the different ones among images (n, h, w, 3): the first of those that are equal, in their order."""
    _, first = np.unique(images.reshape(len(images), -1), axis=0, return_index=True)
    return np.sort(first)
