"""The area that two images of one template share, for the masks of labels and the pairs of the deduplication.

Webster 2023, section 4 (template verbatims): the mask of a template is made from two images that differ in a
region; constants of the reference implementation are in the config. NumPy alone: a bundle's masks are replayed
without anything else.
"""

from __future__ import annotations

import numpy as np


def template_mask(
    a: np.ndarray, b: np.ndarray, difference: float, erode: int, dilate: int
) -> np.ndarray:
    """Where two images (s, s, 3) of one template agree; (s, s) bool.

    Eroded by a square of side `erode`, then dilated by one of side `dilate` (pixels; 1 does nothing): a lone
    pixel that agrees by chance is no shared region. What lies outside the image counts as shared, so that
    borders are not eaten. Equal to SciPy's `binary_erosion` (border 1) and `binary_dilation` to the pixel.
    """
    mask = np.abs(a - b).sum(axis=2) < difference
    if erode > 1:
        before = erode // 2
        mask = ~_grown(~mask, before, erode - 1 - before)
    if dilate > 1:
        after = dilate // 2
        mask = _grown(mask, dilate - 1 - after, after)
    return mask


def _grown(mask: np.ndarray, before: int, after: int) -> np.ndarray:
    """True where any pixel from `before` pixels above (left) to `after` below (right) is; a square is separable."""
    for axis in (0, 1):
        margin = [(before, after) if axis == a else (0, 0) for a in range(2)]
        wide = np.pad(mask, margin)
        seen = np.lib.stride_tricks.sliding_window_view(wide, before + after + 1, axis=axis)
        mask = np.any(seen, axis=-1)
    return mask
