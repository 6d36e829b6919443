"""How simple an image is: entropy of its grey values, and how small a JPEG of it is.

Somepalli 2023, section 4 (simple images are copied more): r = -0.32 and -0.29 against the similarity of a
generation to its match.
"""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
from PIL import Image

GREY = np.array([0.2125, 0.7154, 0.0721])  # Rec. 709, what scikit-image's rgb2gray weighs by
QUALITY = 90


class Correlation(NamedTuple):
    """Pearson's r, its p-value and its interval by Fisher's transform; NaN where there is nothing to correlate."""

    r: float
    p: float
    low: float
    high: float
    n: int


def histogram_entropy(image: np.ndarray) -> float:
    """Shannon entropy, in bits, of an image's 256 grey levels; image (h, w, 3) uint8."""
    grey = np.rint(image.astype(np.float64) @ GREY).astype(np.int64)
    counts = np.bincount(grey.ravel(), minlength=256)
    share = counts[counts > 0] / grey.size
    return float(-(share * np.log2(share)).sum())


def jpeg_bytes(image: np.ndarray) -> int:
    """Bytes of an image (h, w, 3) uint8 as a JPEG at quality 90."""
    out = io.BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=QUALITY)
    return len(out.getvalue())


MEASURES = {"entropy": histogram_entropy, "jpeg_bytes": jpeg_bytes}


def correlate(x: np.ndarray, y: np.ndarray, confidence: float) -> Correlation:
    """Pearson correlation of x and y (n,), by scipy; pairs that are not finite are left out.

    Fewer than four pairs, or values that do not vary, have none.
    """
    from scipy.stats import pearsonr

    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    finite = np.isfinite(x) & np.isfinite(y)
    x, y = x[finite], y[finite]
    if len(x) < 4 or np.ptp(x) == 0 or np.ptp(y) == 0:
        nan = float("nan")
        return Correlation(nan, nan, nan, nan, len(x))
    found = pearsonr(x, y)
    low, high = found.confidence_interval(confidence)
    return Correlation(float(found.statistic), float(found.pvalue), float(low), float(high), len(x))
