"""Seed SSIM: how similar the one-step generations of a prompt are over seeds.

NeMo (Hintersdorf 2024) compares the first noise predictions of several seeds by structural similarity, because a
memorized prompt leads to the same image from any noise. Here the decoded one-step generations of ECS are compared,
at their own size, so the score needs no further network row. It has one scale, because small images have no room
for several.

Structural similarity: Wang 2004, eq. 13, with its Gaussian window (11 pixels, standard deviation
1.5) and constants, each channel alone, and only windows that lie wholly in the image. The window's means are
scipy's. torchmetrics gives the same values once the windows that reach over the edge are cut off, but it blurs
both images of every pair anew, and it needs PyTorch, which the job of this score does without.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

RADIUS, DEVIATION = 5, 1.5  # of the window; Wang 2004, section III.B
C1, C2 = 0.01**2, 0.03**2  # of pixels in [0, 1]; the same section


def _blur(images: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weighted mean in each whole window: (..., h, w, 3) -> (..., h - 10, w - 10, 3)."""
    from scipy.ndimage import gaussian_filter

    whole = slice(RADIUS, -RADIUS)
    means = gaussian_filter(images, DEVIATION, radius=RADIUS, axes=(-3, -2))
    inside: npt.NDArray[np.float64] = means[..., whole, whole, :]
    return inside


def seed_ssim(images: Sequence[npt.NDArray[np.float32]]) -> float:
    """Mean structural similarity over all pairs of seeds; 1 means the same image from every seed.

    Parameters
    ----------
    images : one-step generations (h, w, 3) in [0, 1] of one size, one for each seed.

    Returns
    -------
    In [-1, 1]; NaN for fewer than two seeds, or for images smaller than the window.
    """
    if len(images) < 2 or min(images[0].shape[:2]) <= 2 * RADIUS:
        return float("nan")
    stack = np.stack(images).astype(np.float64)
    first, second = np.triu_indices(len(stack), 1)
    mean = _blur(stack)
    variance = _blur(stack**2) - mean**2
    total = 0.0
    for a, b in zip(first, second, strict=True):  # a pair at a time bounds the memory
        product = mean[a] * mean[b]
        covariance = _blur(stack[a] * stack[b]) - product
        alike = (2 * product + C1) * (2 * covariance + C2)
        alike /= (mean[a] ** 2 + mean[b] ** 2 + C1) * (variance[a] + variance[b] + C2)
        total += float(alike.mean())
    return total / len(first)
