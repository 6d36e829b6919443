"""Template-aware pairs: near neighbours whose images differ in one region only.

The second pass of the deduplication, over the pairs of the first. Two images of a high cosine may be copies, images of
one template, or only similar; the pixels decide. Webster 2023, section 4, makes the mask of a template from two such
images. Here the same mask is made, and the connected regions outside it are counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage

from verbatim.io.images import resize
from verbatim.metrics.rmse import pair_rmse
from verbatim.metrics.template_masks import template_mask

COLUMNS = [
    "row_a", "row_b", "similarity", "distance", "shared", "regions", "template", "status", "reason",
]  # fmt: skip


@dataclass(frozen=True)
class RegionSettings:
    """When two images are of one template. Sizes in pixels of the squares that are compared.

    size : side of the squares.
    low, high : their RMSE lies between; below, they are copies.
    difference, erode, dilate : of the mask, see `template_mask`.
    min_shared : least share of the image that is shared.
    """

    size: int
    low: float
    high: float
    difference: float
    erode: int
    dilate: int
    min_shared: float


def compare_images(a: np.ndarray, b: np.ndarray, settings: RegionSettings) -> dict[str, Any]:
    """distance (RMSE), shared (share of the image), regions that differ, and whether it is a template.

    a, b: (s, s, 3) in [0, 1]. Differing pixels that touch, at a corner even, are one region.
    """
    mask = template_mask(a, b, settings.difference, settings.erode, settings.dilate)
    _, regions = ndimage.label(~mask, np.ones((3, 3), dtype=int))
    distance = float(pair_rmse(a[None], b[None])[0])
    shared = float(mask.mean())
    template = (
        settings.low < distance < settings.high and regions == 1 and shared >= settings.min_shared
    )
    return {
        "distance": distance, "shared": shared, "regions": int(regions), "template": template,
        "status": "ok", "reason": "",
    }  # fmt: skip


def square_reader(
    read: Callable[[str, str], Any], rows: pd.DataFrame, size: int, keep: int
) -> Callable[[int], tuple[np.ndarray | None, str]]:
    """A function that gives the image of a row as a square (size, size, 3), or None and the reason.

    read: archive and member -> what has an `image` or a `reason`. rows: row, archive, member. keep:
    squares that stay in memory.
    """
    where = rows.set_index("row")[["archive", "member"]]

    @lru_cache(maxsize=keep)
    def square(row: int) -> tuple[np.ndarray | None, str]:
        if row not in where.index:
            return None, "not in inputs/rows"
        got = read(*where.loc[row])
        if got.image is None:
            return None, got.reason
        return resize(got.image, size, size), ""

    return square


def compare_pairs(
    pairs: pd.DataFrame,
    image: Callable[[int], tuple[np.ndarray | None, str]],
    settings: RegionSettings,
) -> pd.DataFrame:
    """`templates` table of a `pairs` table; a pair whose images cannot be read is `not_checked`.

    image: square of a row (s, s, 3), or None and the reason.
    """
    records = []
    for row_a, row_b, similarity in pairs.itertuples(index=False, name=None):
        record = {"row_a": row_a, "row_b": row_b, "similarity": similarity}
        (a, why_a), (b, why_b) = image(row_a), image(row_b)
        if a is not None and b is not None:
            record |= compare_images(a, b, settings)
        else:
            reason = "; ".join(
                f"row {row}: {why}" for row, why in ((row_a, why_a), (row_b, why_b)) if why
            )
            record |= {
                "distance": np.nan, "shared": np.nan, "regions": -1, "template": False,
                "status": "not_checked", "reason": reason,
            }  # fmt: skip
        records.append(record)
    return pd.DataFrame(records, columns=COLUMNS)
