"""The settings of template masks, and the partners that masks are made with.

Webster 2023, section 4 (template verbatims); constants from its reference implementation, there
for images of 256x256x3: partners with 1e2 < SSE < 1e3, difference 0.03, erosion 3x3, dilation 6x6.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MaskSettings:
    """How masks are made. Sizes in pixels of the squares that are compared.

    low, high : a partner's RMSE to the image lies between; below, it is a copy of it.
    difference : sum over channels of |a - b| below which a pixel is shared.
    erode, dilate : sides of the square kernels; 1 does nothing.
    min_area : share of the image below which a mask is not used.
    partners : how many partners of one image are tried, the nearest first (the reference: one).
    sources : how many training images of a prompt, the nearest first, are tried under masks.
    """

    low: float
    high: float
    difference: float
    erode: int
    dilate: int
    min_area: float
    partners: int
    sources: int


def choose_partners(
    distances: np.ndarray, rows: np.ndarray, row: int, settings: MaskSettings
) -> list[int]:
    """Indices of the images that a template mask of training image `row` can be made with.

    Parameters
    ----------
    distances : (t,) RMSE of the image to each of its prompt's training images.
    rows : (t,) their rows; of several crops of one row the nearest counts.

    Returns
    -------
    At most `settings.partners` indices of other rows with low < RMSE < high, the nearest first.
    """
    fits = (distances > settings.low) & (distances < settings.high) & (rows != row)
    chosen: dict[int, int] = {}
    for i in np.argsort(distances, kind="stable"):
        if fits[i] and len(chosen) < settings.partners:
            chosen.setdefault(int(rows[i]), int(i))
    return list(chosen.values())
