"""Distance of a generation and a training image, both as squares of one size; NumPy and Pillow alone.

Webster 2023, section 4: RMSE, pixels in [0, 1]; the reference resizes to 256x256x3, bicubic, and
compares sums of squared errors (SSE), which are RMSE^2 * 196,608 there.
"""

from __future__ import annotations

import numpy as np

from verbatim.io.images import resize

MOST_SIDE = 8000  # ASSUME: of a padded square, 770 MB as floats; the square of a 64-megapixel image


def fit_square(image: np.ndarray, size: int) -> dict[str, np.ndarray]:
    """An image (h, w, 3) as squares (size, size, 3), by the name of how it was made one.

    `whole`: it was square. Else all three of `squash` (what the reference does), `center` (the crop
    that Stable Diffusion was trained on) and `pad` (on white, in the middle): a model may have seen
    any of them, so the nearest counts, and which it was is recorded. One with a side above `MOST_SIDE`
    is made smaller before it is padded: a long banner's square would take 15 GB.
    """
    height, width = image.shape[:2]
    if height == width:
        return {"whole": resize(image, size, size)}
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    return {
        "squash": resize(image, size, size),
        "center": resize(image[top : top + short, left : left + short], size, size),
        "pad": resize(_pad(image), size, size),
    }


def _pad(image: np.ndarray) -> np.ndarray:
    """An image (h, w, 3) on white, in the middle of a square of its long side, `MOST_SIDE` at most."""
    height, width = image.shape[:2]
    long = max(height, width)
    if long > MOST_SIDE:
        height, width = (max(1, round(side * MOST_SIDE / long)) for side in (height, width))
        image, long = resize(image, height, width), MOST_SIDE
    padded = np.ones((long, long, 3), dtype=image.dtype)
    y, x = (long - height) // 2, (long - width) // 2
    padded[y : y + height, x : x + width] = image
    return padded


def squared_errors(a: np.ndarray, b: np.ndarray, batch: int = 64) -> np.ndarray:
    """SSE of every pair: (n, s, s, 3) and (m, s, s, 3) give (n, m) float64.

    Gram matrices in float64 of values about 0, `batch` of `b` at a time (bounds memory, changes
    nothing): their rounding is under 1e-9 at 256x256x3, where thresholds are 1e2 and more.
    """
    flat_a = _centred(a)
    norm_a = np.einsum("ij,ij->i", flat_a, flat_a)
    out = np.empty((len(a), len(b)))
    for start in range(0, len(b), batch):
        flat_b = _centred(b[start : start + batch])
        norm_b = np.einsum("ij,ij->i", flat_b, flat_b)
        out[:, start : start + batch] = norm_a[:, None] + norm_b - 2.0 * flat_a @ flat_b.T
    return np.maximum(out, 0.0)


def _centred(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1).astype(np.float64) - 0.5


def rmse(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Webster 2023, section 4: sqrt(SSE / values of an image) of every pair, (n, m) in [0, 1]."""
    return np.sqrt(squared_errors(a, b) / np.prod(a.shape[1:]))


def pair_rmse(a: np.ndarray, b: np.ndarray, batch: int = 1024) -> np.ndarray:
    """RMSE of each image of `a` and the one of `b` at its place, (n,) in [0, 1].

    a, b : (n, s, s, 3), uint8 or in [0, 1]. `batch` of them at a time are floats (bounds memory, changes nothing).
    """
    out = np.zeros(len(a))
    for start in range(0, len(a), batch):
        some = slice(start, start + batch)
        difference = as_floats(a[some]).astype(np.float64) - as_floats(b[some])
        out[some] = np.sqrt((difference**2).mean(axis=(1, 2, 3)))
    return out


def as_floats(images: np.ndarray) -> np.ndarray:
    """Images (n, s, s, 3): uint8 as float32 in [0, 1], others unchanged."""
    return images / np.float32(255) if images.dtype == np.uint8 else images


def masked_rmse(generations: np.ndarray, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """RMSE over the shared pixels: sqrt(sum((t m - g m)^2) / (mean(m) n)), n values an image.

    The reference compares sum((t m - g m)^2) / mean(m) with an SSE, which is n times the square of
    this, so thresholds are RMSE here as everywhere.

    Parameters
    ----------
    generations : (g, s, s, 3). image : (s, s, 3), one of the two that the mask was made from.
    mask : (s, s) bool.

    Returns
    -------
    (g,) float64; NaN under an empty mask.
    """
    if not mask.any():
        return np.full(len(generations), np.nan)
    difference = generations[:, mask].astype(np.float64) - image[mask].astype(np.float64)
    return np.sqrt((difference**2).mean(axis=(1, 2)))
