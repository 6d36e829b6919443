"""Ways to lay a training image over a generation: cropped, padded, scaled, shifted, flipped.

Webster 2023, Fig. 5: copies of another crop, slightly distorted or moved, which a distance of two
whole squares misses. A placement is a similarity: the image, flipped or not, resized to `side`
pixels, its upper left corner at (top, left) of the generation's frame. A side above the frame's is a
crop of the image, below it an image that was padded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from verbatim.io.images import resize


@dataclass(frozen=True)
class SearchSettings:
    """What is tried, and what counts.

    size : side of the squares whose residual is measured, pixels.
    coarse : side of the squares on which every placement is tried, pixels.
    scales : sides of the image tried, in sides of the generation.
    shift : largest shift of an image of the same size, share of the side.
    flip : whether mirrored images are tried.
    visible : least share of each image's contrast energy that must lie in the overlap.
    share : share of the telling pixels, those that agree best, that the residual is measured on.
    background : largest difference of a channel to the image's median colour up to which a pixel
        of both images is background and tells nothing.
    least_area : telling pixels below this share of the frame are too few.
    blur : how often both images are smoothed by [1, 2, 1] / 4 before their residual is taken, so that
        half a pixel's difference of place costs little.
    window : side of the squares about each pixel whose structure is compared, pixels of `size`.
    calm : variance of a channel in such a square from which it counts as structure.
    refine : residual at the coarse side above which a pair is not looked at more closely.
    """

    size: int
    coarse: int
    scales: Sequence[float]
    shift: float
    flip: bool
    visible: float
    share: float
    background: float
    least_area: float
    blur: int
    window: int
    calm: float
    refine: float


@dataclass(frozen=True)
class Placements:
    """side, top, left (k,) int of every placement in a frame of `frame` pixels."""

    frame: int
    side: np.ndarray
    top: np.ndarray
    left: np.ndarray

    def masks(self) -> np.ndarray:
        """(k, frame, frame) bool: where the placed image covers the frame."""
        return covered(self.frame, self.side, self.top, self.left)


def covered(frame: int, side: np.ndarray, top: np.ndarray, left: np.ndarray) -> np.ndarray:
    """(k, frame, frame) bool: where images of these sides and corners cover the frame."""
    at = np.arange(frame)
    rows = (at >= top[:, None]) & (at < (top + side)[:, None])
    columns = (at >= left[:, None]) & (at < (left + side)[:, None])
    return rows[:, :, None] & columns[:, None, :]


def list_placements(settings: SearchSettings) -> Placements:
    """Every placement of the coarse search, without flips.

    An image of the frame's size is shifted by up to `shift`; a smaller or a larger one is put
    wherever it lies inside the frame, or the frame inside it, and by `shift` about the middle.
    """
    frame = settings.coarse
    found = []
    for scale in settings.scales:
        side = max(2, round(scale * frame))
        middle = (frame - side) / 2
        reach = max(settings.shift * frame, abs(middle))
        corners = np.arange(int(np.floor(middle - reach)), int(np.ceil(middle + reach)) + 1)
        top, left = np.meshgrid(corners, corners, indexing="ij")
        found.append(np.stack([np.full(top.size, side), top.ravel(), left.ravel()]))
    side, top, left = np.concatenate(found, axis=1)
    return Placements(frame, side, top, left)


def background(image: np.ndarray) -> np.ndarray:
    """Median colour (3,) of an image (h, w, 3): what most of a drawing on white is."""
    return np.median(image.reshape(-1, 3), axis=0).astype(np.float32)


def soften(image: np.ndarray, passes: int) -> np.ndarray:
    """An image (h, w, 3) smoothed `passes` times by [1, 2, 1] / 4 along both sides, edges repeated."""
    for _ in range(passes):
        for axis in (0, 1):
            widths = [(1, 1) if axis == a else (0, 0) for a in range(3)]
            wide = np.pad(image, widths, mode="edge")
            low, mid, high = (
                np.take(wide, range(i, i + image.shape[axis]), axis) for i in range(3)
            )
            image = (low + 2 * mid + high) / np.float32(4)
    return image


def canvas(image: np.ndarray, side: int, flip: bool, frame: int, fill: np.ndarray) -> np.ndarray:
    """The image (h, w, 3) at `side` pixels inside a border of `frame` on each side, less `fill`.

    Returns (side + 2 frame, side + 2 frame, 3) float32, zero in the border.
    """
    return border(resize(image, side, side), flip, frame, fill)


def border(image: np.ndarray, flip: bool, frame: int, fill: np.ndarray) -> np.ndarray:
    """A `canvas` of an image (side, side, 3) that has its size already."""
    side = len(image)
    out = np.zeros((side + 2 * frame, side + 2 * frame, 3), dtype=np.float32)
    out[frame : frame + side, frame : frame + side] = (image[:, ::-1] if flip else image) - fill
    return out


def windows(drawn: np.ndarray, frame: int, top: np.ndarray, left: np.ndarray) -> np.ndarray:
    """What frames see of a `canvas` whose image's corners lie at (top, left); (k, 3, frame, frame)."""
    views = np.lib.stride_tricks.sliding_window_view(drawn, (frame, frame), axis=(0, 1))
    return views[frame - top, frame - left]


def row_windows(drawn: np.ndarray, frame: int) -> np.ndarray:
    """What frames see of a `canvas`, as a view: (rows, columns, frame, 3 frame), colours beside each other.

    A frame whose image's corner lies at (top, left) is at [frame - top, frame - left], as in `windows`.
    """
    flat = drawn.reshape(len(drawn), -1)
    return np.lib.stride_tricks.sliding_window_view(flat, (frame, 3 * frame))[:, ::3]


def area_sums(planes: np.ndarray) -> np.ndarray:
    """Sums over all rows above and columns before each pixel, (n, h, w) gives (n, h + 1, w + 1) float64."""
    sums = planes.astype(np.float64).cumsum(axis=1).cumsum(axis=2)
    return np.pad(sums, [(0, 0), (1, 0), (1, 0)])


def sum_between(
    sums: np.ndarray, top: np.ndarray, left: np.ndarray, side: int, most: int
) -> np.ndarray:
    """Sums of a plane over squares of `side` pixels at (top, left), each cut to the plane; (k,).

    sums : (most + 1, most + 1), one plane of `area_sums`.
    """
    a, b = np.clip(top, 0, most), np.clip(top + side, 0, most)
    c, d = np.clip(left, 0, most), np.clip(left + side, 0, most)
    return sums[b, d] - sums[a, d] - sums[b, c] + sums[a, c]


def place(
    image: np.ndarray, frame: int, side: int, top: int, left: int, flip: bool
) -> tuple[np.ndarray, np.ndarray]:
    """One placed image (frame, frame, 3), the median colour where it does not reach, and its mask."""
    fill = background(image)
    at = np.array([top]), np.array([left])
    seen = windows(canvas(image, side, flip, frame, fill), frame, *at)[0].transpose(1, 2, 0)
    return seen + fill, covered(frame, np.array([side]), *at)[0]
