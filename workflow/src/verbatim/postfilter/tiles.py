"""Distance of two generations: the worst of their tiles.

Carlini et al. 2023, section 4.2 (16 tiles): two images that share only the background are no copies.

Images are bytes, as in an archive, so that the distances of stored images can be recomputed bit by bit for any
batch, number of threads and machine. A tile's sum of squares is
one Gram matrix, in pieces that float32 holds exactly: bytes less 128 have products of at most 2**14,
and sums of 2**10 of them stay within 2**24, up to which float32 counts every integer. So no
precision is lost by cancellation, and no sum is negative.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

_PIECE = 1024  # values summed in float32 at a time: 2**10, see above


def pair_distances(images: np.ndarray, tiles: int, others: np.ndarray | None = None) -> np.ndarray:
    """Distance of every pair: the maximum over `tiles` x `tiles` tiles of the tile's l2.

    Carlini et al. 2023, section 4; l2(a, b) = sqrt(mean((a - b)^2)), pixels in [0, 1].

    Parameters
    ----------
    images : (n, height, width, channels) uint8.
    tiles : tiles along each side, from 1 (the plain l2) to the shorter side in pixels. Sides that it
        does not divide give tiles that differ by one pixel.
    others : (m, height, width, channels) uint8 to compare with; None compares `images` with itself.

    Returns
    -------
    (n, m) float64 in [0, 1]; (n, n), symmetric and with zeros on the diagonal, without `others`.
    """
    against = images if others is None else others
    for stack in (images, against):
        if stack.dtype != np.uint8 or stack.ndim != 4:
            raise ValueError(
                f"images are {stack.dtype} {stack.shape}, expected uint8 (n, height, width, "
                "channels); turn floats into bytes with images.to_uint8"
            )
    if images.shape[1:] != against.shape[1:]:
        raise ValueError(
            f"images of {images.shape[1:]} cannot be compared with images of "
            f"{against.shape[1:]}; resize them first"
        )
    height, width = images.shape[1:3]
    if not 1 <= tiles <= min(height, width):
        raise ValueError(
            f"tiles is {tiles}; images of {height}x{width} pixels take 1 to {min(height, width)}"
        )
    worst = np.zeros((len(images), len(against)))
    down, across = _bounds(height, tiles), _bounds(width, tiles)
    for top, bottom in pairwise(down):
        for left, right in pairwise(across):
            a = images[:, top:bottom, left:right].reshape(len(images), -1)
            b = a
            if others is not None:
                b = others[:, top:bottom, left:right].reshape(len(others), -1)
            np.maximum(worst, _squared_errors(a, b) / a.shape[1], out=worst)
    return np.sqrt(worst) / 255.0


def _bounds(length: int, parts: int) -> list[int]:
    return [length * i // parts for i in range(parts + 1)]


def _squared_errors(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Sums of squared differences of the rows of (n, d) and (m, d) uint8: (n, m) float64, exact integers."""
    gram = np.zeros((len(a), len(b)))
    norm_a, norm_b = np.zeros(len(a)), np.zeros(len(b))
    for start in range(0, a.shape[1], _PIECE):
        piece_a = a[:, start : start + _PIECE].astype(np.float32) - np.float32(128)
        piece_b = piece_a
        if b is not a:
            piece_b = b[:, start : start + _PIECE].astype(np.float32) - np.float32(128)
        gram += piece_a @ piece_b.T
        norm_a += np.einsum("ij,ij->i", piece_a, piece_a)
        norm_b += np.einsum("ij,ij->i", piece_b, piece_b)
    return norm_a[:, None] + norm_b[None, :] - 2.0 * gram
