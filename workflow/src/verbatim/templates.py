"""What two pictures of one template share; for the labels' masks and for the pairs of the deduplication.

Webster 2023, section 4 (template verbatims): the mask of a template is made from two pictures that differ in a
region; constants of the reference implementation are in the config.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def template_mask(
    a: np.ndarray, b: np.ndarray, difference: float, erode: int, dilate: int
) -> np.ndarray:
    """Where two pictures (s, s, 3) of one template agree; (s, s) bool.

    Opened by a square of `erode`, grown by one of `dilate`: a lone pixel that agrees by chance is no
    shared region. What lies outside the picture counts as shared, so that borders are not eaten.
    """
    mask = np.abs(a - b).sum(axis=2) < difference
    if erode > 1:
        mask = ndimage.binary_erosion(mask, np.ones((erode, erode), dtype=bool), border_value=1)
    if dilate > 1:
        mask = ndimage.binary_dilation(mask, np.ones((dilate, dilate), dtype=bool))
    return mask
